"""asyncpg: PostgreSQL.

What may be sent: a secret that is for TLS only is not sent over a Unix socket (``tls.contexts.context``) or without a
context that requires TLS (``tls.contexts.context_key``). A token is not sent as a hash (``Unhashed``).
"""

import asyncio
import inspect
import traceback
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import PurePath
from types import MappingProxyType
from typing import Any, NoReturn

import asyncpg
from asyncpg.connect_utils import TLSUpgradeProto

from aws_iam_async.drivers.protocol import Reconnect, abort_transport, method_error, no_tls_error, postgresql_hosts
from aws_iam_async.errors import ConfigurationError, InsecureTransportError
from aws_iam_async.request import ConnectRequest
from aws_iam_async.secret import Bearer
from aws_iam_async.tls import contexts

# Keywords that a request has fields for.
FIELDS = frozenset({"dsn", "host", "port", "user", "password", "database", "ssl"})
CONNECT = inspect.signature(asyncpg.connect).parameters
POOL = inspect.signature(asyncpg.create_pool).parameters
# The pool passes these to its connect function again.
SHARED_KEYWORDS = frozenset(POOL) & (frozenset(CONNECT) - FIELDS)

# asyncpg 0.32 builds a context of its own from these, for each connection and on the loop, and only without ``ssl=``.
REFUSED = dict.fromkeys(
    ("sslcert", "sslkey", "sslpassword", "sslcrl", "ssl_min_protocol_version", "ssl_max_protocol_version"),
    "it is not supported; set it on an SSLContext and pass ssl=context",
) | {
    "connect": "the pool connects through the plugins; write a plugin instead",
    # asyncpg 0.32 reads them only together with a DSN, which it does not get here.
    **dict.fromkeys(("service", "servicefile"), "service files are not read; pass host, port, user and database"),
}
QUERY_KEYWORDS = frozenset({"passfile", "target_session_attrs", "krbsrvname", "gsslib"})
INVALID_PASSWORD, INVALID_AUTHORIZATION = "28P01", "28000"


class AsyncpgDriver:
    """The driver asyncpg."""

    name = "asyncpg"
    system = "postgresql"
    default_port = 5432
    # PostgreSQL 17 requires it where TLS comes first, and asyncpg 0.32 sets it on all contexts of its own.
    alpn: str | None = "postgresql"
    connect_options = frozenset(CONNECT) - FIELDS - frozenset(REFUSED)
    pool_options = frozenset(POOL) - frozenset(CONNECT) - {"connect", "connect_kwargs"}
    query_options = QUERY_KEYWORDS | frozenset(REFUSED) | {"sslnegotiation"}
    query_has_settings = True
    time_limit = "timeout"
    default_time_limit: float | None = CONNECT["timeout"].default
    aliases: Mapping[str, str] = MappingProxyType({"dbname": "database"})
    refused: Mapping[str, str] = MappingProxyType(REFUSED)
    variables: Mapping[str, str] = MappingProxyType(
        {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "database": "PGDATABASE"}
    )
    unreachable: tuple[type[Exception], ...] = (OSError, asyncpg.CannotConnectNowError)
    unsuitable: tuple[type[Exception], ...] = (asyncpg.TargetServerAttributeNotMatched,)

    def read_query(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Read a DSN's query like asyncpg: unknown names are settings for the server."""
        options: dict[str, Any] = {}
        settings: dict[str, str] = {}
        for name, value in query.items():
            if name == "sslnegotiation":
                if value not in {"direct", "postgres"}:
                    raise ConfigurationError("dsn: sslnegotiation must be 'direct' or 'postgres'")
                options["direct_tls"] = value == "direct"
            elif name in self.query_options:
                options[name] = value
            else:
                settings[name] = value
        if settings:
            options["server_settings"] = settings
        return options

    def check(self, request: ConnectRequest) -> None:
        """Nothing: asyncpg validates its own keywords."""

    def login_rejected(self, error: BaseException) -> bool:
        """``28P01``, or ``28000`` that names PAM or IAM authentication: RDS's answers to a wrong token.

        A refused login is ``FATAL``. A statement's error is not, whatever its code.
        """
        if not isinstance(error, asyncpg.PostgresError) or error.severity_en == "ERROR":
            return False
        if error.sqlstate == INVALID_AUTHORIZATION:
            # PostgreSQL 18 translates messages (lc_messages), but neither the method's name nor its function's.
            names_method = error.server_source_function == "auth_failed"
            names = ("PAM", "IAM") if names_method else ("PAM authentication", "IAM authentication")
            return any(name in str(error) for name in names)
        return bool(error.sqlstate == INVALID_PASSWORD)

    def candidates(self, request: ConnectRequest) -> Iterable[ConnectRequest]:
        return postgresql_hosts(request) if request.alternates else (request,)

    async def connect(self, request: ConnectRequest, *, reconnect: Reconnect) -> Any:
        # asyncpg 0.32 ignores ``ssl`` on a Unix socket, and looks for such a socket if there is no host.
        unix_socket = request.host is None or request.host.startswith("/")
        settings = request.driver_options.get("server_settings")
        keywords = {
            # asyncpg's pools pass it too. Without it ddtrace 4.16 hands out a proxy, which a pool refuses.
            "connection_class": asyncpg.Connection,
            **request.driver_options,
            # asyncpg needs a dict, and a request has what cannot be changed.
            "server_settings": dict(settings) if isinstance(settings, MappingProxyType) else settings,
            "host": request.host,
            "port": request.port,
            "user": request.user,
            "database": request.database,
            # With a context asyncpg 0.32 never falls back to plaintext (SSLMode.require).
            "ssl": await contexts.context(request.tls, unix_socket=unix_socket) or request.tls.mode,
            "timeout": None,  # the pipeline's limit covers what comes before the dialling as well
        }
        try:
            return await asyncpg.connect(**keywords, password=_password(request))
        except BaseException as error:
            _abort_leftovers(error)
            if request.tls.required:  # the locals of asyncpg's frames hold the plain copy of a plugin's password
                traceback.clear_frames(error.__traceback__)
            if refusal := _not_sent(request, error):
                raise refusal from error
            contexts.add_certificate_note(error, request.tls, request.host, request.port)
            if isinstance(error, ConnectionError) and not isinstance(error, ConnectionRefusedError):
                error.add_note(
                    f"{request.host}:{request.port} closed the connection. Check that a PostgreSQL server listens"
                    " there and offers TLS, and read its log."
                )
            raise

    def abort(self, connection: Any) -> None:
        connection.terminate()

    def timeout_error(self, request: ConnectRequest, seconds: float) -> Exception:
        return TimeoutError(f"no connection to {request.host}:{request.port} within {seconds:g} s (timeout)")

    async def create_pool(
        self, request: ConnectRequest, options: Mapping[str, Any], connect: Callable[..., Awaitable[Any]]
    ) -> Any:
        # asyncpg 0.32 opens the first connections with ``asyncio.gather``. When one fails, the others continue for a
        # pool that is never created. They are cancelled here.
        shared = {name: request.driver_options[name] for name in SHARED_KEYWORDS if name in request.driver_options}
        dialling: set[asyncio.Task[Any]] = set()
        starting = True

        async def open_connection(dsn: str | None = None, **keywords: Any) -> Any:
            if starting and (task := asyncio.current_task()):
                dialling.add(task)
            # Anything else is from pool.set_connect_args(), which replaces all former arguments.
            changed = dsn is not None or not keywords.keys() <= SHARED_KEYWORDS
            kind = keywords["connection_class"]
            return await (connect(dsn, kind, **keywords) if changed else connect(None, kind))

        try:
            return await asyncpg.create_pool(**{**shared, **options, "connect": open_connection})
        except BaseException:
            others = dialling - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            raise
        finally:
            starting = False
            dialling.clear()

    async def close(self, connection: Any, *, failed: bool) -> None:
        await connection.close()

    async def close_pool(self, pool: Any, *, failed: bool) -> None:
        """Close a pool after its connections were released, like asyncpg's own ``async with``."""
        await pool.close()


class Unhashed(Bearer):
    """A :class:`Bearer` that asyncpg 0.32 cannot hash: both methods end in a ``TypeError``.

    For MD5 asyncpg adds the user's name to the password. For SCRAM it accepts only an exact ``str``.
    """

    __slots__ = ()

    def __add__(self, _other: str) -> NoReturn:
        raise TypeError("a token is not hashed")


def _password(request: ConnectRequest) -> Any:
    if isinstance(request.password, Bearer):
        return Unhashed(request.password)
    # A plain copy of a string, for SCRAM. asyncpg calls a function.
    return str.__str__(request.password) if isinstance(request.password, str) else request.password


def _abort_leftovers(error: BaseException) -> None:
    """Abort the transport and cancel the future that a failed ``asyncpg.connect`` leaves to the loop.

    asyncpg 0.32 ends a failed attempt with ``transport.close()``. Over TLS that waits up to 30 seconds for the server's
    closing message. Only asyncpg's own frame knows the transport. An attempt that is cancelled just after TCP is up
    also leaves the future for the server's answer on TLS, which then logs an exception that was never retrieved.
    """
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if PurePath(frame.f_code.co_filename).name == "connect_utils.py":
            transport = frame.f_locals.get("tr")
            if transport is not None:
                abort_transport(transport)
        protocol = frame.f_locals.get("protocol")
        if isinstance(protocol, TLSUpgradeProto):
            protocol.on_data.cancel()


def _not_sent(request: ConnectRequest, error: BaseException) -> InsecureTransportError | None:
    """Return the error to raise if the secret was not sent."""
    # asyncpg 0.32, connect_utils.TLSUpgradeProto: the server answered "N" to the request for TLS.
    if isinstance(error, ConnectionError) and request.tls.required and "rejected SSL upgrade" in str(error):
        return no_tls_error(request)
    hashed = isinstance(error, asyncpg.InternalClientError) and isinstance(error.__cause__, TypeError)
    if hashed and isinstance(request.password, Bearer):
        return method_error(request, "requires the hash of a password (MD5 or SCRAM)")
    return None
