"""asyncpg: PostgreSQL."""

import functools
import inspect
import os
import random
from collections.abc import Awaitable, Callable, Mapping
from types import CoroutineType, MappingProxyType
from typing import Any, NoReturn

import asyncpg

from aws_iam_async import trust
from aws_iam_async.drivers import abandoned
from aws_iam_async.drivers.attempt import Attempt, no_connection
from aws_iam_async.drivers.first_connections import FirstConnections
from aws_iam_async.drivers.protocol import Around, Read
from aws_iam_async.dsn import split_hosts
from aws_iam_async.errors import ConfigurationError, InsecureTransportError
from aws_iam_async.options import Reader
from aws_iam_async.plugins.protocol import ConnectNext
from aws_iam_async.request import ConnectRequest
from aws_iam_async.secret import Bearer
from aws_iam_async.statistics import Attempts

__all__ = ["AsyncpgDriver"]

# What a request has fields for.
FIELDS = frozenset({"dsn", "host", "port", "user", "password", "database", "ssl"})
CONNECT = inspect.signature(asyncpg.connect).parameters
POOL = inspect.signature(asyncpg.create_pool).parameters
TIMEOUT = CONNECT["timeout"].default

# asyncpg 0.32 builds a context of its own from these, for each connection and on the loop, and only without ``ssl=``.
REFUSED = dict.fromkeys(
    ("sslcert", "sslkey", "sslpassword", "sslcrl", "ssl_min_protocol_version", "ssl_max_protocol_version"),
    "it is not read here; set it on an SSLContext and pass ssl=context",
) | {"connect": "the pool connects through the plugins; write a plugin instead"}
QUERY_KEYWORDS = frozenset({"passfile", "service", "target_session_attrs", "krbsrvname", "gsslib"})
REJECTED_PASSWORD = "28P01"  # noqa: S105 - an SQLSTATE
REJECTED_AUTHORIZATION = "28000"


class AsyncpgDriver:
    """asyncpg with plugins around its connect.

    Args:
        around: Puts the plugins around the connect.
        attempts: Counts how connects end.
    """

    name = "asyncpg"
    default_port = 5432
    # PostgreSQL 17 insists on it where TLS comes first, and asyncpg 0.32 sets it on all contexts of its own.
    alpn: str | None = "postgresql"
    connect_options = frozenset(CONNECT) - FIELDS
    pool_options = frozenset(POOL) - frozenset(CONNECT) - {"connect", "connect_kwargs"}
    query_options = QUERY_KEYWORDS | frozenset(REFUSED) | {"sslnegotiation"}
    time_limit = "timeout"
    aliases: Mapping[str, str] = MappingProxyType({"dbname": "database"})
    refused: Mapping[str, str] = MappingProxyType(REFUSED)
    variables: Mapping[str, str] = MappingProxyType(
        {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "database": "PGDATABASE"}
    )

    def __init__(self, around: Around, attempts: Attempts) -> None:
        self._around = around
        self._attempts = attempts

    def reader(self, plugin_options: frozenset[str], defaults: Mapping[str, Any]) -> Reader:
        """Return what reads the options of this driver."""
        return Reader(self, plugin_options, defaults)

    def read_query(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Read a DSN's query as asyncpg does: what it does not know is a setting for the server.

        Raises:
            ConfigurationError: ``sslnegotiation`` is neither ``direct`` nor ``postgres``.
        """
        options: dict[str, Any] = {}
        settings: dict[str, str] = {}
        for name, value in query.items():
            if name == "sslnegotiation":
                options["direct_tls"] = _direct_tls(value)
            elif name in QUERY_KEYWORDS or name in REFUSED:
                options[name] = value
            else:
                settings[name] = value
        if settings:
            options["server_settings"] = settings
        return options

    def read_environment(self, values: Mapping[str, str]) -> dict[str, Any]:
        """Read the variables as asyncpg does; an empty one says nothing."""
        read: dict[str, Any] = {**values}
        port = values.get("port", "")
        if "," in port:
            read["port"] = port.split(",")
        if hosts := values.get("host"):
            pairs = split_hosts(hosts, source="PGHOST")
            read["host"] = [host for host, _ in pairs]
            if any(port for _, port in pairs):
                read["port"] = [own or read.get("port") for _, own in pairs]
        return {name: value for name, value in read.items() if value}

    def login_rejected(self, error: BaseException) -> bool:
        """``28P01``, or ``28000`` that speaks of PAM or IAM authentication: what RDS answers to a wrong token."""
        if not isinstance(error, asyncpg.PostgresError):
            return False
        if error.sqlstate == REJECTED_AUTHORIZATION:
            message = str(error)
            return "PAM authentication" in message or "IAM authentication" in message
        return bool(error.sqlstate == REJECTED_PASSWORD)

    async def connect(self, request: ConnectRequest) -> Any:
        """Make one connection through the plugins.

        ``timeout`` (seconds, default 60, ``None`` for none) bounds the whole of it: the token, every host, every retry.

        Raises:
            TimeoutError: It took longer.
        """
        seconds = request.driver_options.get("timeout", TIMEOUT)
        with Attempt(self, request, seconds, self._attempts) as attempt:
            log_in = functools.partial(self._log_in, attempt)
            if request.alternates:
                made = await self._connect_first(request, log_in)
            else:
                made = await self._around(log_in)(request)
            if made is None or isinstance(made, CoroutineType):
                raise no_connection(made)
            return made

    def cut(self, connection: Any) -> None:
        """Close a connection at once."""
        connection.terminate()

    def overdue(self, request: ConnectRequest, seconds: float) -> Exception:
        """``TimeoutError``, as asyncpg's own."""
        return TimeoutError(f"no connection to {request.host}:{request.port} within {seconds:g} s (timeout)")

    async def create_pool(self, request: ConnectRequest, options: Mapping[str, Any], read: Read) -> Any:
        """Make an ``asyncpg.Pool`` whose connections all come from :meth:`connect`."""
        keywords = {name: request.driver_options[name] for name in POOL_CLASSES if name in request.driver_options}
        async with FirstConnections() as first:
            keywords |= {**options, "connect": self._pool_connect(request, read, first)}
            return await asyncpg.create_pool(**keywords)

    @staticmethod
    async def close(connection: Any, *, failed: bool) -> None:  # noqa: ARG004 - asyncpg closes the same way
        """Close a connection."""
        await connection.close()

    @staticmethod
    async def close_pool(pool: Any) -> None:
        """Close a pool: waits until its connections are given back, as asyncpg's own ``async with`` does."""
        await pool.close()

    def _pool_connect(
        self, request: ConnectRequest, read: Read, first: FirstConnections
    ) -> Callable[..., Awaitable[Any]]:
        async def connect(dsn: str | None = None, **keywords: Any) -> Any:
            first.join()
            # The pool repeats connection_class, record_class and loop, which are in the request already. Anything else
            # is from pool.set_connect_args(), which replaces all that was said before.
            if dsn is None and keywords.keys() <= POOL_CLASSES:
                return await self.connect(request)
            return await self.connect(read(dsn, keywords))

        return connect

    async def _connect_first(self, request: ConnectRequest, log_in: ConnectNext) -> Any:
        """Try several hosts in their order, by asyncpg's rules (``connect_utils._connect``, 0.32).

        asyncpg itself cannot: it would show the token that was signed for one host to the others.
        """
        addresses = [(request.host, request.port), *request.alternates]
        wanted = request.driver_options.get("target_session_attrs") or os.environ.get("PGTARGETSESSIONATTRS") or "any"
        if str(getattr(wanted, "value", wanted)) != "prefer-standby":
            return await self._try_in_order(request, log_in, addresses, {})
        try:
            return await self._try_in_order(request, log_in, addresses, {"target_session_attrs": "standby"})
        except (OSError, asyncpg.TargetServerAttributeNotMatched, asyncpg.CannotConnectNowError):
            shuffled = random.sample(addresses, len(addresses))
            return await self._try_in_order(request, log_in, shuffled, {"target_session_attrs": "any"})

    async def _try_in_order(
        self,
        request: ConnectRequest,
        log_in: ConnectNext,
        addresses: list[tuple[str | None, int | None]],
        options: Mapping[str, Any],
    ) -> Any:
        driver_options = MappingProxyType({**request.driver_options, **options}) if options else request.driver_options
        last_error: Exception | None = None
        for host, port in addresses:
            one = request.replace(host=host, port=port, alternates=(), driver_options=driver_options)
            try:
                return await self._around(log_in)(one)
            except asyncpg.TargetServerAttributeNotMatched as error:
                # An unreachable host says more than an unsuitable one.
                last_error = last_error or error
            except (OSError, asyncpg.CannotConnectNowError) as error:
                last_error = error
        assert last_error is not None  # noqa: S101 - there is at least one address
        raise last_error

    @staticmethod
    async def _log_in(attempt: Attempt, request: ConnectRequest) -> Any:
        if request.tls.required and (request.host is None or request.host.startswith("/")):
            # asyncpg 0.32 speaks plaintext on a unix socket whatever ``ssl`` says, and without a host it looks for one.
            raise InsecureTransportError(
                "a secret that is only for TLS is not sent over a unix socket: pass the database's host name"
            )
        password = request.password
        if isinstance(password, Bearer):
            password = Unhashed(password)
        elif password is not None:
            password = str.__str__(password)  # a plain copy of anything else, for SCRAM: see Unhashed
        keywords = {
            **(request.driver_options or {}),
            "host": request.host,
            "port": request.port,
            "user": request.user,
            "password": password,
            "database": request.database,
            # A context never falls back to plaintext (asyncpg 0.32, SSLMode.require).
            "ssl": await trust.context(request.tls) or request.tls.mode,
            # Kept in connect(), which also bounds what comes before the dialling.
            "timeout": None,
        }
        try:
            connection = await asyncpg.connect(**keywords)
        except BaseException as error:
            abandoned.cut(error)
            if (withheld := _withheld(request, error)) is not None:
                raise InsecureTransportError(withheld) from error
            trust.explain(error, request.tls, f"{request.host}:{request.port}")
            if isinstance(error, ConnectionError) and not isinstance(error, ConnectionRefusedError):
                # The text of a refusal says it all.
                error.add_note(
                    f"{request.host}:{request.port} hung up on the connect: check that a PostgreSQL server listens"
                    " there and offers TLS, and what its log says."
                )
            raise
        attempt.made(connection)
        return connection


class Unhashed(Bearer):
    """A :class:`Bearer` of which asyncpg 0.32 can make no hash: either attempt ends in a ``TypeError``.

    For MD5 it adds the user's name to the password, for SCRAM it takes nothing but an exact ``str``.
    """

    __slots__ = ()

    def __add__(self, _other: str) -> NoReturn:
        raise TypeError("a token is not hashed")


POOL_CLASSES = frozenset(POOL) & frozenset(CONNECT) - FIELDS


def _withheld(request: ConnectRequest, error: BaseException) -> str | None:
    """Say why the secret was not sent, if that is what the error means."""
    # asyncpg 0.32, connect_utils.TLSUpgradeProto: the server answered "N" to the request for TLS.
    if isinstance(error, ConnectionError) and request.tls.required and "rejected SSL upgrade" in str(error):
        return (
            f"{request.host}:{request.port} offers no TLS, so nothing of the login was sent;"
            " dial the database itself or a tunnel that passes TLS through"
        )
    hashed = isinstance(error, asyncpg.InternalClientError) and isinstance(error.__cause__, TypeError)
    if hashed and isinstance(request.password, Bearer):
        return (
            f"{request.host}:{request.port} asked {request.user!r} for the hash of a password (MD5 or SCRAM),"
            " and a token may only be sent as it is: check that the user exists there and is set up for it"
            f" (on RDS: GRANT rds_iam TO {request.user})"
        )
    return None


def _direct_tls(value: str) -> bool:
    if value not in {"direct", "postgres"}:
        raise ConfigurationError("dsn: sslnegotiation must be 'direct' or 'postgres'")
    return value == "direct"
