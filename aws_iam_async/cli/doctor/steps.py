"""The steps of the examination, in their order.

Each step reads what earlier steps found, adds its own findings, and returns what it saw. If the login cannot work after
what it saw, it raises StepFailedError.
"""

import asyncio
import contextlib
import functools
import socket
import ssl
import sys
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, cast

import aws_iam_async
from aws_iam_async import ConnectRequest, drivers, endpoints, threads
from aws_iam_async.cli.connection import keywords_as_flags
from aws_iam_async.cli.doctor import advice_network, advice_setup, sts, tls_probe
from aws_iam_async.cli.doctor.advice_login import QUERY_FAILED, likely_causes
from aws_iam_async.cli.doctor.findings import Advice, Certificate, Findings, Passed, StepFailedError
from aws_iam_async.cli.doctor.refusal import login_refusal
from aws_iam_async.credentials.credentials import is_temporary
from aws_iam_async.credentials.source import AssumedRole, credentials_source
from aws_iam_async.drivers.protocol import abort_transport
from aws_iam_async.errors import ConfigurationError, CredentialsError, DriverNotFoundError, RegionError
from aws_iam_async.names import PLUGIN_OPTIONS
from aws_iam_async.options import OptionsReader
from aws_iam_async.options.dsn import parse
from aws_iam_async.plugins.iam import login_for, resolve_endpoint
from aws_iam_async.plugins.protocol import ConnectNext
from aws_iam_async.plugins.role import role_for
from aws_iam_async.plugins.secrets_manager import SecretsManagerPlugin, secret_key, secured, with_login
from aws_iam_async.tls import Tls, contexts
from aws_iam_async.tokens.service import default_service
from aws_iam_async.tokens.token import kind_for

# The names of the credentials sources in botocore 1.43.
SOURCES = {
    "env": "environment variables",
    "shared-credentials-file": "the shared credentials file",
    "config-file": "the AWS config file",
    "assume-role": "an assumed role",
    "assume-role-with-web-identity": "a web identity (EKS, OIDC)",
    "container-role": "the container's credentials endpoint (ECS, EKS)",
    "iam-role": "the EC2 instance's metadata",
    "sso": "IAM Identity Center",
    "login": "aws login",
    "custom-process": "a credential_process",
}
# Seconds. A network without a route to STS gives no error, and the login does not need STS.
STS_TIMEOUT = 5.0
# Minutes. An expiry further away is shown in hours.
EXPIRY_IN_HOURS = 120
QUERY = "SELECT current_user, version()"


async def check_driver(findings: Findings) -> Passed:
    target = findings.target
    findings.driver = drivers.name_of(target.options.get("driver"), parse(target.dsn).scheme)
    try:
        await drivers.load(findings.driver)
    except DriverNotFoundError as error:
        raise StepFailedError(str(error), advice_setup.driver_not_installed(findings.driver)) from error
    return Passed(f"{findings.driver} {sys.modules[findings.driver].__version__}")


async def check_options(findings: Findings) -> Passed:
    target = findings.target
    hosts = parse(target.dsn).hosts
    if len(hosts) > 1 and "host" not in target.options:
        raise StepFailedError(f"the DSN names {len(hosts)} hosts", advice_setup.SEVERAL_HOSTS)
    keywords = {name: value for name, value in target.options.items() if name != "driver"}
    names = PLUGIN_OPTIONS[target.plugin] | RoleIgnored.option_names
    reader = OptionsReader(drivers.loaded(findings.driver), target.plugin, names, {})
    request = reader.read(target.dsn, keywords, pool=False).request
    if not request.user and target.plugin == "iam":
        raise StepFailedError("user is missing", advice_setup.USER_MISSING)
    if (port := request.options.get("iam_default_port")) is not None:
        endpoints.parse_port(port, "iam_default_port")
    if "role" in request.options:
        role_for(request)  # refuses any other word
    credentials_source(**request.options)  # refuses a role that cannot be one
    secured = request.tls.secured()  # refuses modes that allow plaintext
    async with _time_limit(findings, f"{secured.root_cert}: cannot be read", advice_setup.FILE_SILENT):
        await contexts.context(secured)  # refuses a file that cannot be read
    warnings = []
    if request.password is not None:
        warnings.append(advice_setup.PASSWORD_IGNORED)
    if secured.mode != "verify-full":
        warnings.append(advice_setup.not_verified(str(secured.mode)))
    findings.request = request
    database = "" if request.database is None else f"database {request.database}, "
    user = "" if request.user is None else f"user {request.user}, "
    return Passed(f"{user}{database}sslmode {secured.mode}", tuple(warnings))


async def check_endpoint(findings: Findings) -> Passed:
    """Find the endpoint to sign for, which is not always the host to dial."""
    host = str(findings.request.host)
    try:
        async with _time_limit(findings, f"{host}: no answer", advice_network.RESOLVER_SILENT):
            request = findings.request = await resolve_endpoint(findings.request)
    except OSError as error:
        detail = f"{host}: {error.strerror or type(error).__name__}"
        raise StepFailedError(detail, advice_network.name_not_found(host)) from error
    try:
        findings.signing_target, findings.tls = login_for(request)
    except RegionError as error:
        findings.region_error = error
    except ConfigurationError as error:
        if not _may_be_an_alias(request):
            raise
        behind = await _endpoint_behind_alias(request, findings.target.timeout)
        advice = advice_setup.iam_host_missing(host, behind)
        raise StepFailedError(keywords_as_flags(str(error)), advice) from error
    name = request.options.get("iam_host", request.host)
    endpoint = findings.endpoint = endpoints.parse(name)
    port = endpoints.parse_port(request.options.get("iam_default_port", request.port))
    if endpoint is None:
        warning = advice_setup.not_an_endpoint(name)
        return Passed(f"{name}:{port}, dialled as {request.host}:{request.port}", (warning,))
    dialled = (request.host or "").lower().removesuffix(".")
    detail = f"{endpoint.kind} endpoint {kind_for(endpoint.host).netloc(endpoint.host, port)}"
    if (dialled, request.port) != (endpoint.host, port):
        detail += f", dialled as {dialled}:{request.port}"
    return Passed(detail)


def _may_be_an_alias(request: ConnectRequest) -> bool:
    host = request.host
    if not host or not request.user or "iam_host" in request.options:
        return False
    return not host.startswith("/") and endpoints.parse(host) is None and endpoints.other_service(host) is None


async def _endpoint_behind_alias(request: ConnectRequest, seconds: float) -> str | None:
    alias = request.replace(options={**request.options, "iam_host": "auto"})
    try:
        async with asyncio.timeout(seconds):
            return (await resolve_endpoint(alias)).host
    except (OSError, ConfigurationError):
        return None


async def check_region(findings: Findings) -> Passed:
    if (error := findings.region_error) is not None:
        malformed = "iam_region" in findings.request.options
        advice = advice_setup.REGION_MALFORMED if malformed else advice_setup.REGION_MISSING
        raise StepFailedError(keywords_as_flags(str(error)), advice)
    region = findings.signing_target.region
    named = None if findings.endpoint is None else findings.endpoint.region
    if named is None:
        return Passed(f"{region}, as given, since the endpoint's name contains no region")
    if named != region:
        warning = advice_setup.wrong_region(region, named)
        return Passed(f"{region}, although the endpoint's name says {named}", (warning,))
    return Passed(f"{region}, from the endpoint's name")


async def check_credentials(findings: Findings) -> Passed:
    profile, source = findings.request.options.get("profile"), credentials_source(**findings.request.options)
    base = source.base if isinstance(source, AssumedRole) else source
    try:
        async with _time_limit(findings, "the credentials source does not answer", advice_setup.source_silent(profile)):
            first = await default_service().credentials(base)
            findings.snapshot = await default_service().credentials(source)
    except ConfigurationError as error:
        raise StepFailedError(keywords_as_flags(str(error)), advice_setup.PROFILE_NOT_FOUND) from error
    except CredentialsError as error:
        advice = advice_setup.source_failed(error, profile)
        raise StepFailedError(keywords_as_flags(error.problem), advice) from error
    credentials, _ = findings.snapshot
    origin = SOURCES.get(first.method, first.method) + (f" (profile {profile})" if profile else "")
    if isinstance(source, AssumedRole):
        origin = f"{origin} -> role {source.role_arn}, assumed with {first.credentials.access_key}"
    mismatch = advice_setup.session_token_mismatch(credentials.access_key, credentials.session_token)
    detail = f"{credentials.access_key} from {origin}, {_expiry(credentials.access_key, findings.snapshot.expires)}"
    return Passed(detail, () if mismatch is None else (mismatch,))


def _expiry(access_key: str, expires: float | None) -> str:
    if expires is None:
        return "expiry not known" if is_temporary(access_key) else "long-term"
    minutes = (expires - time.time()) / 60
    return f"expires in {minutes:.0f} min" if minutes < EXPIRY_IN_HOURS else f"expires in {minutes / 60:.0f} h"


async def check_identity(findings: Findings) -> Passed:
    """Ask STS for the identity and the time. The answer is evidence for the login, and never a failure by itself."""
    if not findings.target.asks_sts:
        return Passed("skipped (--no-sts)")
    timeout, profile = min(findings.target.timeout, STS_TIMEOUT), findings.request.options.get("profile")
    ask_sts = functools.partial(
        sts.caller_identity,
        findings.snapshot.credentials,
        region=findings.signing_target.region,
        profile=profile,
        timeout=timeout,
    )
    try:
        # The SDK's own time limits do not cover the name resolution.
        async with asyncio.timeout(timeout):
            identity = findings.identity = await threads.run(ask_sts, name="STS")
    except CredentialsError as error:
        return Passed(f"STS is not asked: {error.problem}", (advice_setup.source_failed(error, profile),))
    except (sts.StsUnreachableError, TimeoutError) as error:
        reason = str(error) or type(error).__name__
        detail = f"STS does not answer ({reason}), so identity and clock are not checked"
        return Passed(detail, (advice_setup.STS_UNREACHABLE,))
    warnings = advice_setup.identity_problems(identity)
    if identity.refusal is not None:
        return Passed(f"STS refuses the credentials: {identity.refusal}", warnings)
    clock = "" if identity.skew is None else f", clock {abs(identity.skew):.0f} s off"
    return Passed(f"{identity.arn}{clock}", warnings)


async def check_secret(findings: Findings) -> Passed:
    key = secret_key(findings.request)
    try:
        async with _time_limit(findings, f"{key!r} could not be read", advice_setup.SECRET_SILENT):
            login = await SecretsManagerPlugin(default_service()).read(findings.request)
        request = findings.request = with_login(findings.request, key, login)
    except CredentialsError as error:
        raise StepFailedError(error.problem, advice_setup.source_failed(error, None)) from error
    findings.tls = secured(request).tls
    return Passed(f"{key!r} has the password of {request.user} at {request.host}:{request.port}")


async def check_token(findings: Findings) -> Passed:
    signed = findings.signing_target
    findings.token, _ = await default_service().get(signed)
    seconds = findings.token.lifetime.accepted_until - time.time()
    return Passed(f"for {signed.user} at {signed.netloc}, valid for {seconds / 60:.0f} min")


@contextlib.asynccontextmanager
async def _time_limit(findings: Findings, detail: str, advice: Advice) -> AsyncIterator[None]:
    """Fail the step if the block takes longer than ``--timeout``."""
    seconds = findings.target.timeout
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise StepFailedError(f"{detail} within {seconds:g} s", advice) from error


async def check_dns(findings: Findings) -> Passed:
    host = str(findings.request.host)
    if endpoints.is_ip(host):
        findings.addresses = (host,)
        return Passed(f"{host} is an address")
    resolve = functools.partial(socket.getaddrinfo, host, findings.request.port, type=socket.SOCK_STREAM)
    try:
        async with _time_limit(findings, f"{host}: no answer", advice_network.RESOLVER_SILENT):
            # The threads of the loop's own executor would delay the end of the program.
            answers = await threads.run(resolve, name="DNS")
    except OSError as error:
        raise StepFailedError(f"{host}: {error.strerror or error}", advice_network.name_not_found(host)) from error
    findings.addresses = tuple(dict.fromkeys(str(answer[4][0]) for answer in answers))
    return Passed(f"{host} is {', '.join(findings.addresses)}")


async def check_tcp(findings: Findings) -> Passed:
    """Dial all addresses, and take the first in the resolver's order that answers."""
    failures = await asyncio.gather(*(_dial(findings, address) for address in findings.addresses))
    for address, failure in zip(findings.addresses, failures, strict=True):
        if failure is None:
            findings.address = address
            return Passed(f"{address}:{findings.request.port} accepts connections")
    failed = [failure for failure in failures if failure is not None]
    causes = dict.fromkeys(advice for failure in failed for advice in failure.advice)
    raise StepFailedError("; ".join(failure.detail for failure in failed), *causes)


async def _dial(findings: Findings, address: str) -> StepFailedError | None:
    """Return why an address does not accept a connection."""
    host, port = str(findings.request.host), findings.request.port
    silent = advice_network.port_silent(address)
    try:
        async with _time_limit(findings, f"{address}:{port} does not answer", silent):
            _, writer = await asyncio.open_connection(address, port)
    except StepFailedError as failure:
        return failure
    except ConnectionRefusedError:
        default = drivers.loaded(findings.driver).default_port
        advice = advice_network.port_refused(host, port, default)
        return StepFailedError(f"{address}:{port} refuses the connection", advice)
    except OSError as error:
        return StepFailedError(f"{address}:{port}: {error.strerror or error}", advice_network.NO_ROUTE)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return None


async def check_tls(findings: Findings) -> Passed:
    """Do what ``connect()`` does before it sends the token, and look at the server's certificates."""
    secured = findings.tls
    # Every mode that secured() allows has a context.
    context = cast("ssl.SSLContext", await contexts.context(secured))
    name = secured.server_name or str(findings.request.host)
    verified = context.verify_mode is ssl.CERT_REQUIRED
    try:
        async with _tls_connection(findings, context) as connection:
            chain = tls_probe.certificate_chain(connection, verified=verified)
            protocol = connection.version()
    except ssl.SSLCertVerificationError as error:
        chain = await _presented_chain(findings)
        presented = f"; the server presents {chain[0]}" if chain else ""
        advice = advice_network.refused_certificate(
            error.verify_code,
            name=name,
            chain=chain,
            trusted=secured.root_cert,
            trust=contexts.trust_advice(secured, findings.request.host),
        )
        raise StepFailedError(f"{error.verify_message}{presented}", advice) from error
    proof = f"verified as {name}" if context.check_hostname else "NOT verified" if not verified else "name NOT verified"
    subjects = " < ".join(certificate.subject for certificate in chain)
    warning = advice_network.expires_soon(chain, datetime.now(UTC))
    return Passed(
        f"{protocol}, {proof}, until {chain[0].not_after:%Y-%m-%d}: {subjects}", () if warning is None else (warning,)
    )


@contextlib.asynccontextmanager
async def _tls_connection(findings: Findings, context: ssl.SSLContext) -> AsyncIterator[ssl.SSLObject]:
    """Connect and do the handshake.

    Raises:
        ssl.SSLCertVerificationError: The certificate cannot be verified.
        StepFailedError: There was no handshake, or it failed.
    """
    host, port, timeout = findings.request.host, findings.request.port, findings.target.timeout
    writer = None
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(findings.address, port)
            if not tls_probe.starts_with_tls(findings.system, findings.request):
                await tls_probe.request_tls(findings.system, reader, writer)
            # Aurora DSQL needs the name, and closes connections without it.
            await writer.start_tls(context, server_hostname=findings.tls.server_name or host)
        yield writer.get_extra_info("ssl_object")
    except ssl.SSLCertVerificationError:
        raise
    except TimeoutError as error:
        detail = f"{host}:{port} sends nothing for {timeout:g} s while TLS is negotiated"
        raise StepFailedError(detail, advice_network.server_silent(findings.system)) from error
    except ssl.SSLError as error:
        raise StepFailedError(f"{error.reason or error}", advice_network.HANDSHAKE_FAILED) from error
    except OSError as error:
        detail = f"{host}:{port} closes the connection during the handshake ({type(error).__name__})"
        raise StepFailedError(detail, advice_network.HANDSHAKE_CUT) from error
    finally:
        if writer is not None:
            abort_transport(writer.transport)


async def _presented_chain(findings: Findings) -> tuple[Certificate, ...]:
    """Return the certificates that the server presents, unverified; no secret is sent."""
    unverified = contexts.build(Tls("require", alpn=findings.tls.alpn))
    try:
        async with _tls_connection(findings, unverified) as connection:
            return tls_probe.certificate_chain(connection, verified=False)
    except StepFailedError:
        return ()


class RoleIgnored:
    """A plugin that knows the options of plugin ``role``. With that plugin, a login would wait for another server."""

    option_names = PLUGIN_OPTIONS["role"]

    async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:
        return await call_next(request)


async def check_login(findings: Findings) -> Passed:
    target = findings.target
    options = {**target.options, drivers.loaded(findings.driver).time_limit: target.timeout}
    try:
        findings.connection = await aws_iam_async.connect(target.dsn, plugins=[RoleIgnored(), target.plugin], **options)
    except Exception as error:
        causes = likely_causes(login_refusal(findings.driver, error), findings, str(error))
        # Without the notes of the library, which say less than the advice.
        raise StepFailedError(_server_message(error), *causes) from error
    findings.closing.push_async_callback(_close_connection, findings)
    return Passed(f"as {findings.request.user}")


def _server_message(error: Exception) -> str:
    match error.args:
        case (number, text):  # from aiomysql, and of an OSError
            return f"{text} ({number})"
        case _:
            return str(error) or type(error).__name__


async def _close_connection(findings: Findings) -> None:
    # An error would add nothing to the report, and a dead server must not delay it.
    with contextlib.suppress(Exception):
        async with asyncio.timeout(findings.target.timeout):
            await drivers.loaded(findings.driver).close(findings.connection, failed=False)


async def check_server(findings: Findings) -> Passed:
    """Find out whether the server takes writes, and compare with the role in the options."""
    request = findings.request
    wanted = request.options.get("role")
    if request.server_role is None:
        return Passed(f"driver {findings.driver} cannot tell the role of a server")
    try:
        async with asyncio.timeout(findings.target.timeout):
            role = await request.server_role(findings.connection)
    except Exception as error:  # noqa: BLE001 - of any driver; the login works
        return Passed(f"the role is unknown: {_server_message(error)}")
    if wanted not in {None, role}:
        raise StepFailedError(f"{role}, not a {wanted}", advice_setup.wrong_server(role, str(wanted)))
    return Passed(role)


async def check_query(findings: Findings) -> Passed:
    try:
        async with asyncio.timeout(findings.target.timeout):
            user, version = await _first_row(findings.connection, QUERY)
    except Exception as error:
        detail = f"{type(error).__name__}: {error}".removesuffix(": ")
        raise StepFailedError(detail, QUERY_FAILED) from error
    # PostgreSQL answers "PostgreSQL 18.1 on x86_64..., compiled by ...", and MySQL the version alone.
    server = " ".join(version.split()[:2]) if findings.system == "postgresql" else f"server version {version}"
    return Passed(f"{user} on {server}")


async def _first_row(connection: Any, query: str) -> Any:
    if hasattr(connection, "fetchrow"):  # asyncpg's own way; other drivers have the cursors of PEP 249
        return await connection.fetchrow(query)
    async with connection.cursor() as cursor:
        await cursor.execute(query)
        return await cursor.fetchone()
