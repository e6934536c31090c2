"""asyncpg: PostgreSQL.

What may be sent: a secret that is for TLS only is not sent over a Unix socket (``tls.contexts.context``) or without a
context that requires TLS (``tls.contexts.context_key``). A token is not sent as a hash (``Unhashed``).
"""

import asyncio
import contextlib
import inspect
import socket
import traceback
import weakref
from collections.abc import Awaitable, Callable, Mapping
from pathlib import PurePath
from types import MappingProxyType
from typing import Any, NoReturn

import asyncpg
from asyncpg.connect_utils import TLSUpgradeProto
from asyncpg.protocol import Protocol

from aws_iam_async.drivers.postgresql import PostgresqlDriver, method_error, no_tls_error
from aws_iam_async.drivers.protocol import Lifetimes, Reconnect, Watch, abort_transport, split_lifetime
from aws_iam_async.errors import ConfigurationError, InsecureTransportError
from aws_iam_async.request import ConnectRequest
from aws_iam_async.secret import Bearer
from aws_iam_async.tls import contexts

# Keywords that a request has fields for.
FIELDS = frozenset({"dsn", "host", "port", "user", "password", "database", "ssl"})
CONNECT = inspect.signature(asyncpg.connect).parameters
POOL = inspect.signature(asyncpg.create_pool).parameters
POOL_DEFAULTS = {name: it.default for name, it in POOL.items() if it.kind is it.KEYWORD_ONLY}
CLOSE_TIMEOUT = 5.0  # seconds
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
INVALID_PASSWORD, INVALID_AUTHORIZATION, CONNECTION_FAILURE = "28P01", "28000", "08006"


class AsyncpgDriver(PostgresqlDriver):
    name = "asyncpg"
    connect_options = frozenset(CONNECT) - FIELDS - frozenset(REFUSED)
    pool_options = frozenset(POOL) - frozenset(CONNECT) - {"connect", "connect_kwargs"} | {"max_connection_lifetime"}
    query_options = QUERY_KEYWORDS | frozenset(REFUSED) | {"sslnegotiation"}
    query_has_settings = True
    setting = "server_settings={{{name!r}: ...}}"
    time_limit = "timeout"
    default_time_limit: float | None = CONNECT["timeout"].default
    refused: Mapping[str, str] = MappingProxyType(REFUSED)
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

        Aurora DSQL answers ``08006``, which has other reasons as well. A refused login is ``FATAL``. The error of a
        statement is not, whatever its code.
        """
        if not isinstance(error, asyncpg.PostgresError) or error.severity_en == "ERROR":
            return False
        if error.sqlstate == INVALID_AUTHORIZATION:
            # PostgreSQL 18 translates messages (lc_messages), but neither the method's name nor its function's.
            names_method = error.server_source_function == "auth_failed"
            names = ("PAM", "IAM") if names_method else ("PAM authentication", "IAM authentication")
            return any(name in str(error) for name in names)
        if error.sqlstate == CONNECTION_FAILURE:
            return "unable to accept connection, access denied" in str(error)
        return bool(error.sqlstate == INVALID_PASSWORD)

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
            if isinstance(error, socket.gaierror):
                error.add_note(f"Looking up host {request.host!r} failed. Check the name, and this machine's resolver.")
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

    def reported_parameter(self, connection: Any, name: str) -> str | None:
        return getattr(connection.get_settings(), name, None)

    async def fetch_value(self, connection: Any, sql: str) -> Any:
        return await connection.fetchval(sql)

    async def create_pool(
        self,
        request: ConnectRequest,
        options: Mapping[str, Any],
        connect: Callable[..., Awaitable[Any]],
        watch: Watch | None,
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
            connection = await (connect(dsn, kind, **keywords) if changed else connect(None, kind))
            if isinstance(pool, Pool):
                pool.opened(connection)
            return connection

        lifetime, options = split_lifetime(options)
        keywords = {**shared, **options, "connect": open_connection}
        is_plain = watch is None and lifetime is None
        pool = asyncpg.create_pool(**keywords) if is_plain else Pool(watch, lifetime, **keywords)
        try:
            return await pool
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


class Pool(asyncpg.Pool):
    """An ``asyncpg.Pool`` that replaces old connections, and all of them if a plugin wants it."""

    def __init__(self, watch: Watch | None, lifetime: float | None, **keywords: Any) -> None:
        super().__init__(**POOL_DEFAULTS | keywords)
        self.watch = watch
        self.lifetimes = Lifetimes(lifetime, watch)

    def opened(self, connection: Any) -> None:
        self.lifetimes.start(connection)
        if self.watch is not None:
            protocol = connection._protocol  # noqa: SLF001 - pinned by tests
            protocol.__class__ = WatchedProtocol
            protocol.watch, protocol.watched = self.watch, weakref.ref(connection)

    async def release(self, connection: Any, *, timeout: float | None = None) -> None:
        released = getattr(connection, "_con", None)  # None if it was released before
        if released is not None and (self.lifetimes.is_over(released) or self.lifetimes.is_suspect(released)):
            # As asyncpg does it: a cancelled caller does not keep the connection from its pool.
            await asyncio.shield(self.release_outdated(connection, released, timeout))
        else:
            await super().release(connection, timeout=timeout)

    async def release_outdated(self, connection: Any, driver_connection: Any, timeout: float | None) -> None:
        try:
            if self.lifetimes.is_suspect(driver_connection):
                with contextlib.suppress(Exception):  # then it cannot be examined either
                    await driver_connection.reset(timeout=CLOSE_TIMEOUT)
                if await self.lifetimes.end_all_if_changed(driver_connection):
                    self.terminate_idle()
            if self.lifetimes.is_over(driver_connection):
                with contextlib.suppress(Exception):  # then asyncpg has aborted it
                    await driver_connection.close(timeout=CLOSE_TIMEOUT)
        finally:
            await super().release(connection, timeout=timeout)

    def terminate_idle(self) -> None:
        for holder in self._holders:  # type: ignore[attr-defined]  # pinned by tests
            if holder._proxy is None:  # noqa: SLF001 - also set while ``setup=`` runs, unlike holder.is_idle()
                holder.terminate()


class WatchedProtocol(Protocol):
    """asyncpg's protocol. It tells a :class:`Watch` of each statement that the server refuses.

    In asyncpg 0.32 all statements go through these methods. Query loggers do not see prepared statements and COPY, and
    cost a tenth of the time of a small query.
    """

    watch: Watch
    watched: weakref.ref[Any]


def _watched(name: str) -> Callable[..., Awaitable[Any]]:
    method = getattr(Protocol, name)

    async def run(self: WatchedProtocol, *arguments: Any, **keywords: Any) -> Any:
        try:
            return await method(self, *arguments, **keywords)
        except asyncpg.PostgresError as error:
            if (connection := self.watched()) is not None:
                self.watch.failed(connection, error)
            raise

    return run


for _name in ("query", "prepare", "bind", "execute", "bind_execute", "bind_execute_many", "copy_in", "copy_out"):
    setattr(WatchedProtocol, _name, _watched(_name))


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
