"""The ``iam`` plugin: put a token into the request, and another one if the server rejects a cached token."""

import asyncio
import socket
from functools import partial
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from aws_iam_async import endpoints, threads
from aws_iam_async.credentials.failures import session_token_remedy
from aws_iam_async.credentials.source import credentials_source
from aws_iam_async.errors import FIND_CAUSE, ConfigurationError
from aws_iam_async.names import PLUGIN_OPTIONS
from aws_iam_async.plugins.login import log_in
from aws_iam_async.plugins.protocol import ConnectNext
from aws_iam_async.request import ConnectRequest
from aws_iam_async.secret import Bearer
from aws_iam_async.tls import Tls, contexts
from aws_iam_async.tokens.service import TokenService
from aws_iam_async.tokens.token import DEFAULT_EXPIRATION, Token, TokenKey, TokenKind, kind_for, parse_expiration

AUTO = "auto"


class IamLogin(NamedTuple):
    key: TokenKey
    tls: Tls


class IamPlugin:
    option_names = PLUGIN_OPTIONS["iam"]
    own_login = "plugin 'iam' logs in with a token"

    def __init__(self, tokens: TokenService) -> None:
        self._tokens = tokens
        # All connections of a pool have one request, and so have single connections with the same options.
        self._logins: WeakKeyDictionary[ConnectRequest, IamLogin] = WeakKeyDictionary()

    async def check(self, request: ConnectRequest) -> None:
        for host, port in ((request.host, request.port), *request.alternates):
            try:
                resolved = await resolve_endpoint(request.replace(host=host, port=port))
            except OSError:
                continue  # the name may be resolvable when the first connection is made
            await contexts.context(login_for(resolved).tls)
        credentials_source(**request.options)

    async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:
        """Log in with a token.

        A rejected login is repeated once with a new token, unless the credentials were read for this very call. Before
        that they are read again, at most once in 10 s.
        """
        request = await resolve_endpoint(request)
        login = self._logins.get(request)
        if login is None:
            login = self._logins[request] = login_for(request)
            # Build the context while this call waits for its token. Not at once: starting a thread takes a millisecond,
            # and many callers may connect in this pass of the loop.
            asyncio.get_running_loop().call_soon(contexts.prepare, login.tls)
        key, tls = login
        return await log_in(
            partial(self._tokens.get, key),
            lambda token: call_next(request.replace(password=token.value, tls=tls)),
            request.login_rejected,
            partial(self._tokens.reject, key),
            partial(_add_login_notes, key),
        )


def login_for(request: ConnectRequest) -> IamLogin:
    """Read the plugin's options, by the rules of "AWS IAM Authentication Plugin" of the AWS Advanced NodeJS Wrapper."""
    host, user, options = request.host, request.user, request.options
    iam_host, iam_default_port = options.get("iam_host"), options.get("iam_default_port")
    expiration = options.get("iam_token_expiration")
    credentials = credentials_source(**options)
    if not user:
        raise ConfigurationError("user is missing: plugin 'iam' needs the database user that logs in with IAM")
    if not host:
        raise ConfigurationError("host is missing: plugin 'iam' needs the endpoint to connect to")
    signed_host = endpoints.normalise(host, "host")
    if iam_host is None:
        if endpoints.parse(signed_host) is None:
            example = endpoints.privatelink_cluster(signed_host) or "name.xyz.us-east-1.rds.amazonaws.com"
            problem = "an IP address" if endpoints.is_ip(signed_host) else "not an endpoint of RDS or Aurora DSQL"
            raise ConfigurationError(
                f"host {host!r} is {problem}: pass iam_host= with the endpoint behind it, such as {example}"
            )
    else:
        signed_host = endpoints.normalise(iam_host, "iam_host")
        if endpoints.is_ip(signed_host):
            raise ConfigurationError(f"iam_host {iam_host!r} is an IP address: it must be the name of an endpoint")
    kind = kind_for(signed_host)
    _check_kind(kind, request, "host" if iam_host is None else "iam_host")
    port = request.port if iam_default_port is None else iam_default_port
    if port is None:
        raise ConfigurationError("iam_default_port is missing: there is no port to sign for")
    key = TokenKey(
        signed_host,
        endpoints.parse_port(port, "iam_default_port"),
        user,
        endpoints.signing_region(
            options.get("iam_region"),
            signed_host,
            pattern=options.get("cluster_instance_host_pattern"),
        ),
        credentials,
        DEFAULT_EXPIRATION if expiration is None else parse_expiration(expiration, "iam_token_expiration"),
        kind,
    )
    tls = request.tls.secured(signed_host if signed_host != host else None)
    request.check(request.replace(password=Bearer("a token"), tls=tls))
    return IamLogin(key, tls)


def _check_kind(kind: TokenKind, request: ConnectRequest, option: str) -> None:
    if kind.only_system not in {None, request.system}:
        raise ConfigurationError(
            f"{option} is an endpoint of {kind.product}, which driver {request.driver!r} cannot connect to: pass a DSN"
            f" that begins with {kind.only_system}://"
        )
    for name, reason in kind.refused.items():
        if request.options.get(name) is not None:
            raise ConfigurationError(f"{name}: {reason}; remove it")


async def resolve_endpoint(request: ConnectRequest) -> ConnectRequest:
    """Replace the host by the endpoint behind it, if ``iam_host="auto"``; else return the request unchanged.

    The endpoint is the host's canonical name, at the end of a chain of CNAME records. The resolver is asked every time,
    off the loop. The endpoint is dialled by its own name, so that name is signed for and verified.
    """
    if request.options.get("iam_host") != AUTO:
        return request
    name = endpoints.normalise(request.host, "host")
    if endpoints.is_ip(name):
        raise ConfigurationError(
            "iam_host='auto' needs a host name, and host is an IP address: pass iam_host= with the endpoint behind it"
        )
    endpoint = endpoints.parse(name)
    if endpoint is None or endpoint.region is None:
        # loop.getaddrinfo() uses threads that asyncio.run() joins at its end, even if the resolver hangs.
        look_up = partial(socket.getaddrinfo, name, None, type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME)
        answers = await threads.run(look_up, name="DNS", share_as=("canonical name", name))
        canonical = answers[0][3] if answers else ""  # getaddrinfo(3): only the first answer has it
        endpoint = endpoints.parse(canonical)
        if service := endpoints.other_service(canonical):
            raise ConfigurationError(f"iam_host='auto': the canonical name of {name!r} is a host of {service}")
        if endpoint is None or endpoint.region is None:
            raise ConfigurationError(
                f"iam_host='auto': the canonical name of {name!r} is {canonical!r}, which is not an endpoint of"
                " RDS or Aurora DSQL in a region; pass iam_host= with the endpoint behind it"
            )
    options = {name: value for name, value in request.options.items() if name != "iam_host"}
    return request.replace(host=endpoint.host, options=options)


def _add_login_notes(key: TokenKey, error: Exception, token: Token) -> None:
    error.add_note(
        f"The IAM token was new. It was signed for user {key.user!r} at {key.netloc} in {key.region}"
        f" with access key {token.access_key_id} from {key.source!r}."
    )
    endpoint = endpoints.parse(key.host)
    if endpoint is not None and endpoint.region not in {None, key.region}:
        error.add_note(f"By its name the host is in {endpoint.region}: omit iam_region, or correct it.")
    has_session_token = "X-Amz-Security-Token=" in token.value
    if remedy := session_token_remedy(token.access_key_id, has_session_token=has_session_token):
        error.add_note(f"{remedy.text}: {remedy.command}")
    error.add_note(
        f"Check that the database user {key.kind.user_setup}. Check that the identity may do {key.action} on"
        f" {key.resource()}. Check that host, port and region are those of the database: a tunnel needs iam_host= and"
        " iam_default_port=. Check that the access key is active, that the secret key belongs to it, and that the clock"
        f" of this machine is right. {FIND_CAUSE}"
    )
