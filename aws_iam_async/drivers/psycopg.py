"""The driver psycopg 3: PostgreSQL, by way of libpq.

What may be sent: libpq itself refuses to send a token without TLS (``sslmode``) or as a hash (``require_auth``). Every
parameter that could weaken this is passed, so that no environment variable or service file decides on it.
"""

import asyncio
import functools
import inspect
import os
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import psycopg
import psycopg_pool

from aws_iam_async.drivers.protocol import (
    Reconnect,
    libpq_parameter,
    method_error,
    no_tls_error,
    open_together,
    postgresql_hosts,
)
from aws_iam_async.errors import AwsIamError, ConfigurationError, InsecureTransportError, copy_of
from aws_iam_async.request import ConnectRequest
from aws_iam_async.secret import Bearer
from aws_iam_async.tls import contexts
from aws_iam_async.tls.roots import root_file

LIBPQ = frozenset(option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults())
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
}
# libpq 18's own words, which it translates only if the process calls setlocale().
WRONG_METHOD = 'authentication method requirement "password" failed: server requested'
NO_TLS = ("server does not support SSL", "server does not support TLS")
# What a server says about a wrong token: PostgreSQL's words for 28P01, and for 28000 on RDS.
REJECTIONS = ("password authentication failed", "PAM authentication failed", "IAM authentication failed")
LONGEST_TIMEOUT = 10**6  # seconds; the pipeline's limit is the one that counts


class PsycopgDriver:
    """The driver psycopg."""

    name = "psycopg"
    system = "postgresql"
    default_port = 5432
    alpn: str | None = "postgresql"
    connect_options = (LIBPQ | PYTHON | {"connection_class"}) - FIELDS - frozenset(REFUSED)
    pool_options = POOL - {"connection_class"} - frozenset(REFUSED)
    query_options = LIBPQ - FIELDS
    query_has_settings = False
    time_limit = "connect_timeout"
    aliases: Mapping[str, str] = MappingProxyType({"dbname": "database"})
    refused: Mapping[str, str] = MappingProxyType(REFUSED)
    variables: Mapping[str, str] = MappingProxyType(
        {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "database": "PGDATABASE"}
    )
    unreachable: tuple[type[Exception], ...] = (psycopg.OperationalError,)
    unsuitable: tuple[type[Exception], ...] = ()

    @property
    def default_time_limit(self) -> float | None:
        """``PGCONNECT_TIMEOUT``, else the 130 s of psycopg 3.3."""
        text = os.environ.get("PGCONNECT_TIMEOUT") or "130"
        return _seconds(text, "PGCONNECT_TIMEOUT") or None

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
        if str(options.get("ssl_min_protocol_version")) in {"TLSv1", "TLSv1.1"}:
            raise ConfigurationError("ssl_min_protocol_version must be 'TLSv1.2' or 'TLSv1.3'")

    def login_rejected(self, error: BaseException) -> bool:
        """PostgreSQL's and RDS's words: psycopg 3.3 has no SQLSTATE for an error at login."""
        if not isinstance(error, psycopg.OperationalError):
            return False
        return any(f"FATAL:  {words}" in str(error) for words in REJECTIONS)

    def candidates(self, request: ConnectRequest) -> Iterable[ConnectRequest]:
        if not request.alternates:
            return (request,)
        return postgresql_hosts(request, shuffled=libpq_parameter(request, "load_balance_hosts") == "random")

    async def connect(self, request: ConnectRequest, *, reconnect: Reconnect) -> Any:
        connection_class = request.driver_options.get("connection_class", psycopg.AsyncConnection)
        try:
            return await connection_class.connect(**await _parameters(request))
        except BaseException as error:
            # psycopg's frames hold the token, and the socket of an attempt that was cancelled.
            error.with_traceback(None)
            if refusal := _not_sent(request, error):
                raise refusal from error
            if problem := _certificate_problem(error):
                contexts.add_certificate_note(error, request.tls, request.host, request.port, problem)
            raise

    def abort(self, connection: Any) -> None:
        connection.pgconn.finish()

    def timeout_error(self, request: ConnectRequest, seconds: float) -> Exception:
        return psycopg.errors.ConnectionTimeout(
            f"no connection to {request.host}:{request.port} within {seconds:g} s (connect_timeout)"
        )

    async def create_pool(
        self, request: ConnectRequest, options: Mapping[str, Any], connect: Callable[..., Awaitable[Any]]
    ) -> Any:
        base: Any = request.driver_options.get("connection_class", psycopg.AsyncConnection)
        dial = functools.partial(connect, None, base)
        first: list[Any] = []  # connections that are made before the pool opens

        async def open_connection(conninfo: str = "", **keywords: Any) -> Any:  # noqa: ARG001 - the pool has neither
            if first:
                return first.pop()
            try:
                connection = await dial()
            except Exception as error:
                await pool.tell(error, hopeless=isinstance(error, AwsIamError) or self.login_rejected(error))
                raise
            pool.last_error = None
            return connection

        dialled = type(base.__name__, (base,), {"connect": staticmethod(open_connection)})
        pool = Pool("", **{**options, "connection_class": dialled, "open": False})
        if options.get("open") is False:
            return pool
        # psycopg_pool 3.3 would hide the first errors, and try again until its timeout.
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
    """psycopg's pool. It tells its callers why there is no connection.

    In psycopg_pool 3.3 they only get a ``PoolTimeout``, while the pool tries again in the background.
    """

    last_error: Exception | None = None

    async def getconn(self, timeout: float | None = None) -> Any:  # noqa: ASYNC109 - psycopg's signature
        try:
            return await super().getconn(timeout)
        except psycopg_pool.PoolTimeout as error:
            raise error from self.last_error

    async def tell(self, error: Exception, *, hopeless: bool) -> None:
        """Keep an error for callers that time out. If trying again is of no use, raise it in those that wait."""
        self.last_error = error
        while hopeless and self._waiting:
            await self._waiting.popleft().fail(copy_of(error))


async def _parameters(request: ConnectRequest) -> dict[str, Any]:
    """Return the arguments for ``AsyncConnection.connect``."""
    tls, options = request.tls, dict(request.driver_options)
    options.pop("connection_class", None)
    # It refuses to go on without TLS, and reports a file that cannot be read.
    await contexts.context(tls, unix_socket=request.host is None or request.host.startswith(("/", "@")))
    if tls.mode is not None:
        options["sslmode"] = tls.mode
    if tls.mode in {"verify-ca", "verify-full"}:
        options["sslrootcert"] = await root_file(tls)
    if tls.required:
        _require(options, "gssencmode", "disable")
        options.setdefault("ssl_min_protocol_version", "TLSv1.2")
    if isinstance(request.password, Bearer):
        _require(options, "require_auth", "password")
    host = request.host
    if tls.server_name is not None and host is not None:
        # libpq verifies the server as ``host`` and dials ``hostaddr``. psycopg 3.3 tries several in their order.
        addresses = await _resolve(host, request.port)
        host, options["hostaddr"] = ",".join([tls.server_name] * len(addresses)), ",".join(addresses)
    return {
        **options,
        "host": host,
        "port": request.port,
        "user": request.user,
        "password": request.password,
        "dbname": request.database,
        "connect_timeout": LONGEST_TIMEOUT,
    }


async def _resolve(host: str, port: int | None) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise psycopg.OperationalError(f"failed to resolve host {host!r}: {error}") from error
    return [str(address[0]) for *_, address in found]


def _require(options: dict[str, Any], name: str, value: str) -> None:
    if options.get(name) not in {None, value}:
        raise ConfigurationError(f"{name} must be {value!r} to send a token; omit it")
    options[name] = value


def _seconds(text: str, option: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigurationError(f"{option} must be a number of seconds") from None


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
