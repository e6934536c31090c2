"""The driver psycopg 3: PostgreSQL, by way of libpq.

What may be sent: libpq itself refuses to send a token without TLS (``sslmode``) or as a hash (``require_auth``). Every
parameter that could weaken this is passed, so that no environment variable or service file decides on it.
"""

import asyncio
import functools
import inspect
import math
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

import psycopg
import psycopg_pool
from psycopg.rows import scalar_row
from psycopg_pool.pool_async import AddConnection

from aws_iam_async import endpoints, threads
from aws_iam_async.drivers.postgresql import PostgresqlDriver, method_error, no_tls_error
from aws_iam_async.drivers.protocol import Lifetimes, Reconnect, Watch, open_together, split_lifetime
from aws_iam_async.errors import ConfigurationError, InsecureTransportError, copy_of
from aws_iam_async.request import ConnectRequest
from aws_iam_async.secret import Bearer
from aws_iam_async.tls import contexts
from aws_iam_async.tls.roots import root_file

LIBPQ = frozenset(option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults())
if "require_auth" not in LIBPQ:  # without it libpq could send a hash of the token
    raise ImportError(f"it needs libpq 16 or newer, not {psycopg.pq.version() // 10000}")
# Parameters that a request has fields for.
FIELDS = frozenset({"host", "port", "user", "password", "dbname", "sslmode", "sslrootcert"})
PYTHON = frozenset(inspect.signature(psycopg.AsyncConnection.connect).parameters) - {"conninfo", "kwargs"}
POOL = frozenset(inspect.signature(psycopg_pool.AsyncConnectionPool).parameters)
REFUSED = {
    "conninfo": "pass its parts as options, or a URL as dsn",
    "hostaddr": "pass the address as host, and the endpoint's own name as iam_host",
    "service": "the plugins would not see what it sets; pass its parameters as options",
    "servicefile": "the plugins would not see what it sets; pass its parameters as options",
    "kwargs": "pass what it contains as options of create_pool()",
    "server_settings": 'pass settings of the server as options="-c name=value"',
}
# libpq 18's own words, which it translates only if the process calls setlocale().
WRONG_METHOD = 'authentication method requirement "password" failed: server requested'
NO_TLS = ("server does not support SSL", "server does not support TLS")
# What a server says about a wrong token: PostgreSQL's words for 28P01, for 28000 on RDS, and for 08006 on Aurora DSQL.
REJECTIONS = (
    "password authentication failed",
    "PAM authentication failed",
    "IAM authentication failed",
    "unable to accept connection, access denied",
)
# The parameters that protect a secret for TLS only, and those that protect a token: the values that they may have, the
# default first.
FOR_TLS_ONLY = {"gssencmode": ["disable"], "ssl_min_protocol_version": ["TLSv1.2", "TLSv1.3"]}
FOR_TOKEN = {"require_auth": ["password"]}
# Empty is "not given", for the environment and for service files as well. libpq 18 writes the keys of TLS to a file.
EMPTY = dict.fromkeys(LIBPQ & {"hostaddr", "sslkeylogfile"}, "")
RETRY_DELAY = 0.5  # seconds; in psycopg_pool 3.3 delays start with 1 s and double
LONGEST_TIMEOUT = 10**6  # seconds; the pipeline's limit is the one that counts


class PsycopgDriver(PostgresqlDriver):
    name = "psycopg"
    connect_options = (LIBPQ | PYTHON | {"connection_class"}) - FIELDS - frozenset(REFUSED)
    pool_options = POOL - {"connection_class"} - frozenset(REFUSED) | {"max_connection_lifetime"}
    aliases: Mapping[str, str] = MappingProxyType(
        {**PostgresqlDriver.aliases, "max_lifetime": "max_connection_lifetime"}
    )
    query_options = LIBPQ - FIELDS
    query_has_settings = False
    setting = 'options="-c {name}=..."'
    time_limit = "connect_timeout"
    refused: Mapping[str, str] = MappingProxyType(REFUSED)
    unreachable: tuple[type[Exception], ...] = (psycopg.OperationalError,)
    unsuitable: tuple[type[Exception], ...] = ()

    @property
    def default_time_limit(self) -> float | None:
        """``PGCONNECT_TIMEOUT``, else the 130 s of psycopg 3.3."""
        return _seconds(os.environ.get("PGCONNECT_TIMEOUT") or "130", "PGCONNECT_TIMEOUT")

    def read_query(self, query: Mapping[str, str]) -> dict[str, Any]:
        options: dict[str, Any] = dict(query)
        if self.time_limit in options:
            options[self.time_limit] = _seconds(query[self.time_limit], f"dsn: {self.time_limit}")
        return options

    def check(self, request: ConnectRequest) -> None:
        options = request.driver_options
        if request.tls.context is not None:
            raise ConfigurationError(
                "ssl: psycopg connects with libpq, which takes no SSLContext; pass sslmode= and sslrootcert="
            )
        connection_class = options.get("connection_class", psycopg.AsyncConnection)
        if not (isinstance(connection_class, type) and issubclass(connection_class, psycopg.AsyncConnection)):
            raise ConfigurationError(
                "connection_class must be a subclass of psycopg.AsyncConnection, not"
                f" {getattr(connection_class, '__name__', type(connection_class).__name__)}"
            )
        if options.get(self.time_limit) == 0:
            raise ConfigurationError("connect_timeout must be more than 0 seconds; pass None for no limit")
        _protected(request)

    def login_rejected(self, error: BaseException) -> bool:
        """The words of PostgreSQL, RDS and Aurora DSQL, in English: psycopg 3.3 has no SQLSTATE for an error at login.

        A server with another ``lc_messages`` is not understood, so no login there is repeated.
        """
        if not isinstance(error, psycopg.OperationalError):
            return False
        return any(f"FATAL:  {words}" in str(error) for words in REJECTIONS)

    async def connect(self, request: ConnectRequest, *, reconnect: Reconnect) -> Any:
        try:
            parameters = await _parameters(request)
            return await parameters.pop("connection_class", psycopg.AsyncConnection).connect(**parameters)
        except BaseException as error:
            # psycopg's frames hold the token, and the socket of an attempt that was cancelled.
            error.with_traceback(None)
            _remove_secret(error)
            if refusal := _not_sent(request, error):
                raise refusal from error
            if problem := _certificate_problem(error):
                contexts.add_certificate_note(error, request.tls, request.host, request.port, problem)
            raise

    def abort(self, connection: Any) -> None:
        connection.pgconn.finish()

    def reported_parameter(self, connection: Any, name: str) -> str | None:
        reported: bytes | None = connection.pgconn.parameter_status(name.encode())
        return None if reported is None else reported.decode()

    async def fetch_value(self, connection: Any, sql: str) -> Any:
        autocommit = connection.autocommit
        await connection.set_autocommit(True)  # sends nothing
        try:
            async with psycopg.AsyncCursor(connection, row_factory=scalar_row) as cursor:
                return await (await cursor.execute(sql)).fetchone()
        finally:
            await connection.set_autocommit(autocommit)

    def timeout_error(self, request: ConnectRequest, seconds: float) -> Exception:
        return psycopg.errors.ConnectionTimeout(
            f"no connection to {request.host}:{request.port} within {seconds:g} s (connect_timeout)"
        )

    async def create_pool(
        self,
        request: ConnectRequest,
        options: Mapping[str, Any],
        connect: Callable[..., Awaitable[Any]],
        watch: Watch | None,
    ) -> Any:
        lifetime, options = split_lifetime(options)
        if lifetime is not None:
            options["max_lifetime"] = lifetime
        base: Any = request.driver_options.get("connection_class", psycopg.AsyncConnection)
        dial = functools.partial(connect, None, base)
        first: list[Any] = []  # connections that are made before the pool opens

        async def open_connection(*_conninfo: str, **_keywords: Any) -> Any:
            connection = pool.dialling[asyncio.current_task()] = first.pop() if first else await dial()
            return connection

        names = {"connect": staticmethod(open_connection), "__module__": base.__module__}
        dialled = type(base.__name__, (base,), names)
        pool = Pool(self.login_rejected, watch, **{**options, "connection_class": dialled, "open": False})
        if options.get("open") is False:
            return pool
        first += await open_together(dial, pool.min_size, self.abort)
        try:
            await pool.open(wait=True, timeout=pool.timeout)
        except BaseException:
            while first:
                self.abort(first.pop())
            await pool.close()
            raise
        return pool

    async def close(self, connection: Any, *, failed: bool) -> None:
        """End the transaction and close, as psycopg's own ``async with`` does."""
        try:
            if not connection.closed:
                await (connection.rollback() if failed else connection.commit())
        finally:
            await connection.close()

    async def close_pool(self, pool: Any, *, failed: bool) -> None:
        await pool.close()


class Pool(psycopg_pool.AsyncConnectionPool[Any]):
    """psycopg's pool. It tells its callers why a connection could not be made.

    In psycopg_pool 3.3 they only get a ``PoolTimeout``, while the pool tries again in the background after a delay that
    doubles. That is of no use after a rejected login or missing credentials. Such an error is raised at once, and the
    attempt is repeated for the next caller.
    """

    def __init__(self, login_rejected: Callable[[Exception], bool], watch: Watch | None, **options: Any) -> None:
        super().__init__("", **options)
        self.login_rejected = login_rejected
        self.watch = watch
        self.lifetimes = Lifetimes(None, watch)
        self.dialling: dict[asyncio.Task[Any] | None, Any] = {}  # with the connection, while it is configured
        self.last_error: Exception | None = None
        self.final_error: Exception | None = None  # the error that ends wait()
        self.postponed: list[AddConnection] = []  # what is repeated for the next caller
        self.retried: object = None  # with a watch: the only attempt that goes on while the server cannot be reached

    async def getconn(self, timeout: float | None = None) -> Any:
        try:
            return await super().getconn(timeout)
        except psycopg_pool.PoolTimeout as error:
            raise error from self.last_error

    async def wait(self, timeout: float = 30.0) -> None:
        self.final_error = None
        self._repeat()
        try:
            await super().wait(timeout)
        except psycopg_pool.PoolTimeout as error:
            raise error from self.last_error
        if self.final_error is not None:
            await self.close()
            raise self.final_error

    async def close(self, timeout: float = 5.0) -> None:
        for task in self.dialling:
            if task is not None:
                task.cancel()
        await super().close(timeout)

    async def _connect(self, timeout: float | None = None) -> Any:
        task = asyncio.current_task()
        self.dialling[task] = None
        try:
            connection = await super()._connect(timeout)
        except BaseException as error:
            if (unfit := self.dialling[task]) is not None:
                await unfit.close()  # psycopg_pool 3.3 leaves it open if configure() fails
            if isinstance(error, Exception):
                self.last_error = error
            raise
        finally:
            del self.dialling[task]
        self.last_error = self.retried = None
        self._repeat()
        if self.watch is not None:
            self.lifetimes.start(connection)
            connection.__class__ = watched_class(connection.__class__)
            connection.watch = self.watch
        return connection

    async def _putconn(self, conn: Any, from_getconn: Any) -> None:
        if self.lifetimes.is_suspect(conn) or (self.watch is not None and self._reset is not None):
            # The caller may be cancelled, and the pool's workers, which run ``reset=``, may all wait for a writer.
            await asyncio.shield(self._return_connection(conn, from_getconn))
        else:
            await super()._putconn(conn, from_getconn)

    async def _return_connection(self, conn: Any, from_getconn: Any) -> None:
        if self.lifetimes.is_suspect(conn):
            await self._reset_connection(conn)
            if await self.lifetimes.end_all_if_changed(conn):
                await self.drain()
        await super()._return_connection(conn, from_getconn)

    def _repeat(self) -> None:
        while self.postponed:
            self.run_task(self.postponed.pop())

    def _maybe_grow_pool(self) -> None:
        # A caller has to wait.
        if self.postponed:
            self.run_task(self.postponed.pop())
        else:
            super()._maybe_grow_pool()

    async def schedule_task(self, task: Any, delay: float) -> None:
        error = self.last_error
        is_temporary = isinstance(error, psycopg.OperationalError) and not self.login_rejected(error)
        if error is None or not isinstance(task, AddConnection) or (is_temporary and self.watch is None):
            await super().schedule_task(task, delay)
            return
        if is_temporary and self.retried in {None, task.attempt}:
            self.retried = task.attempt
            await super().schedule_task(task, min(delay, RETRY_DELAY))
            return
        self.postponed.append(AddConnection(self, growing=task.growing))
        if is_temporary:
            return
        self.final_error, self.retried = error, None
        if self._pool_full_event is not None:
            self._pool_full_event.set()  # wakes wait()
        while self._waiting:
            await self._waiting.popleft().fail(copy_of(error))


@functools.cache
def watched_class(base: Any) -> Any:
    """Return a class of connections that tell a :class:`Watch` of each statement that the server refuses."""

    class Watched(base):  # type: ignore[misc]  # a caller's class
        watch: Watch

        async def wait(self, *arguments: Any, **keywords: Any) -> Any:
            try:
                return await super().wait(*arguments, **keywords)
            except psycopg.Error as error:
                self.watch.failed(self, error)
                raise

    Watched.__name__, Watched.__qualname__, Watched.__module__ = base.__name__, base.__qualname__, base.__module__
    return Watched


async def _parameters(request: ConnectRequest) -> dict[str, Any]:
    tls, host, hostaddr = request.tls, request.host, {}
    # It refuses to go on without TLS, and reports a file that cannot be read.
    await contexts.context(tls, unix_socket=host is None or host.startswith(("/", "@")))
    if tls.server_name is not None and host is not None:
        # libpq verifies the server as ``host`` and dials ``hostaddr``. psycopg 3.3 tries several in their order.
        addresses = await _resolve(host, request.port)
        host, hostaddr = ",".join([tls.server_name] * len(addresses)), {"hostaddr": ",".join(addresses)}
    return {
        **_protected(request),
        **hostaddr,
        "host": host,
        "port": request.port,
        "user": request.user,
        "password": request.password,
        "dbname": request.database,
        "sslmode": tls.mode,
        "sslrootcert": await root_file(tls) if tls.mode in {"verify-ca", "verify-full"} else None,
        "connect_timeout": LONGEST_TIMEOUT,
    }


def _protected(request: ConnectRequest) -> dict[str, Any]:
    """Return the driver's options with those that protect the secret. Refuse options that contradict them."""
    options = {name: value for name, value in request.driver_options.items() if value is not None or name in PYTHON}
    for name in LIBPQ & options.keys():
        endpoints.check_text(str(options[name]), name)
    if request.tls.required:
        options = EMPTY | options
        _require(options, FOR_TLS_ONLY)
    if isinstance(request.password, Bearer):
        _require(options, FOR_TOKEN)
    elif isinstance(request.password, str):
        endpoints.check_text(request.password, "password")
    return options


def _require(options: dict[str, Any], needed: Mapping[str, list[str]]) -> None:
    for name, values in needed.items():
        if options.setdefault(name, values[0]) not in values:
            raise ConfigurationError(f"{name} must be {' or '.join(map(repr, values))} to send a token; omit it")


async def _resolve(host: str, port: int | None) -> list[str]:
    if endpoints.is_ip(host):
        return [host]
    try:
        look_up = functools.partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = await threads.run(look_up, name="DNS", share_as=("addresses", host, port))
    except OSError as error:
        raise psycopg.OperationalError(f"failed to resolve host {host!r}: {error}") from error
    return [str(address[0]) for *_, address in found]


def _seconds(text: str, option: str) -> float | None:
    """Read a time limit like libpq: 0 and less is none."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if math.isnan(seconds):
        raise ConfigurationError(f"{option} must be a number of seconds")
    return seconds if seconds > 0 else None


def _remove_secret(error: BaseException) -> None:
    # psycopg 3.3 keeps all parameters of a failed connection in its error. Its ``repr`` shows them.
    failed = getattr(error, "pgconn", None)
    if isinstance(failed, psycopg.errors.FinishedPGconn):
        failed.password = b""
        failed.info = [option for option in failed.info if option.keyword != b"password"]


def _certificate_problem(error: BaseException) -> contexts.CertificateProblem | None:
    """Read libpq 18's words. They do not say why a certificate is not trusted."""
    if not isinstance(error, psycopg.OperationalError):
        return None
    if "does not match host name" in str(error):
        return "name"
    return "trust" if "certificate verify failed" in str(error) else None


def _not_sent(request: ConnectRequest, error: BaseException) -> InsecureTransportError | None:
    """Return the error to raise if the secret was not sent."""
    if request.tls.required and any(words in str(error) for words in NO_TLS):
        return no_tls_error(request)
    _, wrong_method, requested = str(error).partition(WRONG_METHOD)
    if wrong_method and isinstance(request.password, Bearer):
        return method_error(request, f"requested{requested.rstrip()}")
    return None
