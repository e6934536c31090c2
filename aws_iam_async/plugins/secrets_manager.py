"""The ``secrets_manager`` plugin: log in with the user and the password of a secret in AWS Secrets Manager."""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from aws_iam_async import endpoints
from aws_iam_async.credentials import sdk
from aws_iam_async.credentials.credentials import Credentials
from aws_iam_async.credentials.failures import REFUSED_KEYS, Remedy, error_code, safe_text
from aws_iam_async.credentials.source import CredentialsSource, credentials_source
from aws_iam_async.errors import FIND_CAUSE, ConfigurationError, CredentialsError, RegionError, warn
from aws_iam_async.names import PLUGIN_OPTIONS
from aws_iam_async.plugins.login import RefreshAheadCache
from aws_iam_async.plugins.protocol import ConnectNext
from aws_iam_async.refresh_ahead import Reading, wall_clock
from aws_iam_async.request import ConnectRequest
from aws_iam_async.secret import Secret
from aws_iam_async.tls import contexts
from aws_iam_async.tokens.service import TokenService
from aws_iam_async.tokens.token import parse_expiration

# Seconds.
DEFAULT_EXPIRATION = 870  # as in the AWS wrappers
LONGEST_EXPIRATION = 10**9
CALL_TIMEOUT = 20.0

_ARN = r"arn:[\w-]+:secretsmanager:(?P<region>[^:]*):[0-9]{12}:secret:\S+"
_DENIED = Remedy(
    "access-denied",
    "Allow the identity secretsmanager:GetSecretValue on this secret, and kms:Decrypt on its key unless that is"
    " aws/secretsmanager",
)
# By AWS's error code. {secret} is the id, and {region} the region.
_REMEDIES = REFUSED_KEYS | {
    "AccessDenied": _DENIED,
    "AccessDeniedException": _DENIED,
    "DecryptionFailure": Remedy(
        "access-denied", "Allow the identity kms:Decrypt on the secret's key, and enable the key"
    ),
    "ResourceNotFoundException": Remedy(
        "secret-not-found",
        "Check secret_id, the account of the credentials, and the region: pass secret_region= if it is in another one",
    ),
    "InvalidRequestException": Remedy(
        "secret-not-readable",
        "If it was deleted, restore it",
        "aws secretsmanager restore-secret --secret-id '{secret}' --region {region}",
    ),
}
_UNREACHABLE = Remedy(
    "secret-not-readable", "Check that Secrets Manager, or the VPC endpoint in secret_endpoint, is reachable from here"
)
_ANSWERED = Remedy(
    "secret-not-readable",
    "Secrets Manager or a proxy gave this answer. Try again later, or check secret_endpoint and the proxy's settings",
)
_NO_TEXT = Remedy("secret-unusable", "Store JSON with user and password, or the password as text")
_SYSTEMS = {"postgres": "postgresql", "mysql": "mysql", "mariadb": "mysql", "aurora": "mysql"}


class SecretKey(NamedTuple):
    """All that decides on what is read. Its ``repr`` is shown in messages."""

    secret_id: str
    region: str
    endpoint: str | None
    source: CredentialsSource
    username_property: str
    password_property: str
    expiration: float  # seconds

    def __repr__(self) -> str:
        return f"secret {self.secret_id!r} in {self.region}"

    def error(self, problem: str, remedy: Remedy) -> CredentialsError:
        return remedy.error(f"{self!r} {problem}", secret=self.secret_id, region=self.region)


@dataclass(frozen=True)
class Login:
    password: Secret
    user: str | None = None
    host: str | None = None
    port: int | None = None
    database: str | None = None
    system: str | None = None


class SecretsManagerPlugin:
    option_names = PLUGIN_OPTIONS["secrets_manager"]
    own_login = "plugin 'secrets_manager' logs in with the password of the secret"

    def __init__(self, tokens: TokenService) -> None:
        self._tokens = tokens
        self._logins: RefreshAheadCache[SecretKey, Login] = RefreshAheadCache(self._read)

    async def check(self, request: ConnectRequest) -> None:
        secret_key(request)
        await contexts.context(secured(request).tls)

    async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:
        """Log in with the secret. If the server rejects a cached one, it is read again, and the login repeated once."""
        key, request = secret_key(request), secured(request)
        asyncio.get_running_loop().call_soon(contexts.prepare, request.tls)  # while this call waits for the secret

        async def dial(login: Login) -> Any:
            completed = with_login(request, key, login)
            try:
                return await call_next(completed)
            except Exception as error:
                if request.login_rejected(error):
                    _add_login_notes(key, error, login)
                raise

        return await self._logins.log_in(key, dial, request.login_rejected)

    async def aclose(self) -> None:
        await self._logins.aclose()

    async def read(self, request: ConnectRequest) -> Login:
        return await self._logins.get(secret_key(request))

    async def _read(self, key: SecretKey) -> Reading[Login]:
        async with self._tokens.signing_credentials(key.source) as credentials:
            text = await self._logins.run_in_thread(key, partial(_secret_string, key, credentials))
        return Reading(parse(key, text), stale=wall_clock() + key.expiration)


def secured(request: ConnectRequest) -> ConnectRequest:
    """Return the request for TLS only, to a server that is verified as ``iam_host``. Refuse what contradicts it."""
    name = request.options.get("iam_host")
    if name == "auto":
        raise ConfigurationError("iam_host='auto' is for the plugin 'iam'; pass the name of the endpoint")
    request = request.replace(tls=request.tls.secured(name and endpoints.normalise_any(name, "iam_host")))
    request.check(request)
    return request


def secret_key(request: ConnectRequest) -> SecretKey:
    options = request.options
    secret_id, endpoint = options.get("secret_id"), options.get("secret_endpoint")
    if not isinstance(secret_id, str) or not re.fullmatch(r"[!-~]{1,512}", secret_id):
        raise ConfigurationError(
            "secret_id is missing: pass secret_id= with the name or the ARN of a secret, without spaces"
            if secret_id is None
            else "secret_id must be the name or the ARN of a secret, without spaces"
        )
    if endpoint is not None and not (isinstance(endpoint, str) and re.fullmatch(r"https?://[^\s@/]+/?", endpoint)):
        raise ConfigurationError(
            "secret_endpoint must be a URL such as https://vpce-1a2b.secretsmanager.eu-west-1.vpce.amazonaws.com"
        )
    return SecretKey(
        secret_id,
        _region(secret_id, request),
        endpoint,
        credentials_source(**options),
        _property(options, "secret_username_property", "username"),
        _property(options, "secret_password_property", "password"),
        parse_expiration(options.get("secret_expiration", DEFAULT_EXPIRATION), "secret_expiration", LONGEST_EXPIRATION),
    )


def _region(secret_id: str, request: ConnectRequest) -> str:
    """Return the region to ask: the given one, else that of the ARN, else that in the host's name."""
    given = request.options.get("secret_region", request.options.get("iam_region"))
    host = request.options.get("iam_host", request.host)
    arn = re.fullmatch(_ARN, secret_id)
    if secret_id.startswith("arn:") and arn is None:
        raise ConfigurationError(
            "secret_id is no ARN of a secret, such as arn:aws:secretsmanager:us-east-1:123456789012:secret:shop-AbCdEf"
        )
    if given is None and arn is None and host is None:
        raise RegionError("secret_region is missing: pass secret_region=, or the secret's ARN as secret_id=")
    region = endpoints.signing_region(arn["region"] if given is None and arn else given, host, option="secret_region")
    if arn and arn["region"] != region:
        raise RegionError(f"the region {region!r} contradicts the secret's ARN: omit secret_region and iam_region")
    return region


def _property(options: Mapping[str, Any], option: str, default: str) -> str:
    name = options.get(option, default)
    if not isinstance(name, str) or not name:
        raise ConfigurationError(f"{option} must be the name of a property in the secret, such as {default!r}")
    return name


def _secret_string(key: SecretKey, credentials: Credentials) -> Secret:
    """Ask for the secret. Blocks."""
    answer = sdk.call_api(
        "secretsmanager",
        "get_secret_value",
        credentials=credentials,
        region=key.region,
        endpoint=key.endpoint,
        profile=key.source.profile,
        timeout=CALL_TIMEOUT,
        convert=partial(_secret_error, key),
        SecretId=key.secret_id,
    )
    if isinstance(answer.get("SecretString"), str):
        return Secret(answer["SecretString"])
    is_binary = "SecretBinary" in answer
    del answer  # a traceback with locals shows what a frame holds
    raise (
        key.error("is binary", _NO_TEXT)
        if is_binary
        else key.error("could not be read: the answer holds no secret", _UNREACHABLE)
    )


def _secret_error(key: SecretKey, error: Exception) -> CredentialsError:
    if isinstance(error, TimeoutError):
        return key.error(f"could not be read: no answer within {CALL_TIMEOUT:.0f} s", _UNREACHABLE)
    code = error_code(error)
    return key.error(f"could not be read: {safe_text(error)}", _REMEDIES.get(code, _ANSWERED if code else _UNREACHABLE))


def parse(key: SecretKey, text: Secret) -> Login:
    """Read a secret: a JSON object as AWS writes it for databases, or the password itself. Messages quote nothing."""
    if not text:
        raise key.error("is empty", _NO_TEXT)
    properties = _properties(text)
    try:
        if properties is None:
            endpoints.check_text(text, "password")
            return Login(text)
        user, password = (_needed(key, properties, option) for option in ("username", "password"))
        endpoints.check_text(password, "password")
        engine = properties.get("engine", "").lower()
        return Login(
            password,
            user=endpoints.parse_name(user, "user"),
            host=endpoints.normalise_any(properties["host"], "host") if properties.get("host") else None,
            port=endpoints.parse_port(properties["port"]) if properties.get("port") else None,
            database=endpoints.parse_name(properties["dbname"], "dbname") if properties.get("dbname") else None,
            system=next((system for name, system in _SYSTEMS.items() if name in engine), None),
        )
    except ConfigurationError as error:
        failure = key.error(f"is unusable: {error}", Remedy("secret-unusable", "Correct this property of the secret"))
    raise failure


def _properties(text: Secret) -> dict[str, Secret] | None:
    """Return the properties of a JSON object, all of them redacted; ``None`` if the text is something else."""

    def redact(properties: dict[str, Any]) -> dict[str, Secret]:
        return {
            name: Secret(value if isinstance(value, str) else json.dumps(value))
            for name, value in properties.items()
            if value is not None
        }

    try:
        # Numbers as they are written: a password may look like one. A byte order mark is none of the document.
        document = json.loads(
            text.removeprefix("\ufeff"), object_hook=redact, parse_int=str, parse_float=str, parse_constant=str
        )
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _needed(key: SecretKey, properties: Mapping[str, Secret], name: str) -> Secret:
    option, wanted = f"secret_{name}_property", getattr(key, f"{name}_property")
    if not properties.get(wanted):
        remedy = Remedy("secret-unusable", f"Add it, or pass {option}= with the name that it has")
        raise key.error(f"has no property {wanted!r}", remedy)
    return properties[wanted]


def with_login(request: ConnectRequest, key: SecretKey, login: Login) -> ConnectRequest:
    """Return the request with what the secret holds. Host, port and database of the caller win.

    The port in the secret belongs to the host in the secret. A caller's own port is kept, if it is not the default one.
    """
    if login.system not in {None, request.system}:
        raise ConfigurationError(
            f"{key!r} is for {login.system}, and driver {request.driver} is for {request.system}: pass"
            " another driver or secret_id"
        )
    if login.user is None and request.user is None:
        raise ConfigurationError(
            f"user is missing: {key!r} is plain text and no JSON object, so it is the password alone; pass user="
        )
    if None not in {login.user, request.user} and login.user != request.user:
        advice = "Omit user, or unset PGUSER if it comes from there"
        warn(f"user is ignored: {key!r} names another one. {advice}")
    host, port = request.host, request.port
    if host is None and login.host is not None:
        host = login.host
        if login.port is not None and port in {None, 5432, 3306}:
            port = login.port
    if host is None:
        raise key.error("names no host", Remedy("secret-unusable", "Add host to it, or pass host="))
    return request.replace(
        user=login.user or request.user,
        password=login.password,
        host=host,
        port=port,
        database=request.database or login.database,
    )


def _add_login_notes(key: SecretKey, error: Exception, login: Login) -> None:
    user = f" user {login.user!r} and" if login.user else ""
    whole = "" if login.user else " The secret is not a JSON object, so its whole text was the password."
    error.add_note(
        f"The login was with{user} the password of {key!r}.{whole} Check that the secret belongs to this database,"
        f" and that its last rotation has finished. {FIND_CAUSE}"
    )
