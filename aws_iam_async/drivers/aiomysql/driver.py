"""The adapter: aiomysql's keywords, its time-out, and the plugins around every dial."""

import asyncio
import functools
import inspect
from collections.abc import Mapping
from types import CoroutineType, MappingProxyType
from typing import Any

import aiomysql
from aiomysql.connection import DEFAULT_USER
from aiomysql.connection import Connection as PlainConnection
from pymysql.charset import charset_by_name
from pymysql.constants import CR, ER

from aws_iam_async import trust
from aws_iam_async.drivers.aiomysql.connection import Connection
from aws_iam_async.drivers.aiomysql.pool import Pool
from aws_iam_async.drivers.attempt import Attempt, no_connection
from aws_iam_async.drivers.protocol import Around, Read
from aws_iam_async.errors import ConfigurationError
from aws_iam_async.option_names import refuse_unknown
from aws_iam_async.options import Reader
from aws_iam_async.request import ConnectRequest
from aws_iam_async.statistics import Attempts

__all__ = ["AiomysqlDriver"]

# What a request has fields for.
FIELDS = frozenset({"host", "port", "user", "password", "db", "ssl"})
# In aiomysql 0.3 the file wins over the keywords: it would replace the host that was signed for, and the token.
REFUSED = dict.fromkeys(
    ("read_default_file", "read_default_group"),
    "option files are not read; pass host, port, user and database themselves",
)
CONNECT = inspect.signature(PlainConnection).parameters
POOL = inspect.signature(aiomysql.create_pool).parameters

# The keywords that a DSN can carry, with the type of their values; the others take objects.
QUERY_TYPES: Mapping[str, type] = MappingProxyType(
    {
        "autocommit": bool,
        "charset": str,
        "client_flag": int,
        "connect_timeout": float,
        "echo": bool,
        "init_command": str,
        "local_infile": bool,
        "maxsize": int,
        "minsize": int,
        "pool_recycle": int,
        "program_name": str,
        "sql_mode": str,
        "unix_socket": str,
        "use_unicode": bool,
    }
)
BOOLEANS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


class AiomysqlDriver:
    """aiomysql with plugins around its connect.

    Args:
        around: Puts the plugins around the connect.
        attempts: Counts how connects end.
    """

    name = "aiomysql"
    default_port = 3306
    alpn: str | None = None
    connect_options = frozenset(CONNECT) - FIELDS - frozenset(REFUSED)
    pool_options = frozenset(POOL) - frozenset(CONNECT) - {"kwargs"}
    query_options = frozenset(QUERY_TYPES) | frozenset(REFUSED)
    time_limit = "connect_timeout"
    aliases: Mapping[str, str] = MappingProxyType({"db": "database"})
    refused: Mapping[str, str] = MappingProxyType(REFUSED)
    variables: Mapping[str, str] = MappingProxyType({})

    def __init__(self, around: Around, attempts: Attempts) -> None:
        self._around = around
        self._attempts = attempts

    def reader(self, plugin_options: frozenset[str], defaults: Mapping[str, Any]) -> Reader:
        """Return what reads the options of this driver."""
        return Reader(self, plugin_options, defaults)

    def read_query(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Read a DSN's query as aiomysql's keywords, with their types.

        Raises:
            ConfigurationError: An unknown keyword, one that takes an object, or a value of the wrong type.
        """
        return {name: _typed(name, value) for name, value in query.items()}

    def read_environment(self, values: Mapping[str, str]) -> dict[str, Any]:  # noqa: ARG002 - there are none
        """Nothing: aiomysql reads no environment variables."""
        return {}

    def login_rejected(self, error: BaseException) -> bool:
        """Errno 1045, "Access denied for user"."""
        return isinstance(error, aiomysql.MySQLError) and error.args[:1] == (ER.ACCESS_DENIED_ERROR,)

    async def connect(self, request: ConnectRequest) -> Any:
        """Make one connection through the plugins.

        ``connect_timeout`` (seconds, default none) bounds the whole of it: the token, the handshake, every retry.
        aiomysql 0.3 itself bounds only the TCP connect.

        Raises:
            aiomysql.OperationalError: 2003, from a ``TimeoutError``, when it took longer: what aiomysql raises then.
            ConfigurationError: There are several hosts, or ``charset`` is unknown.
        """
        _check(request)
        return await self._dial(request, None)

    def cut(self, connection: Any) -> None:
        """Close a connection at once."""
        connection.close()

    def overdue(self, request: ConnectRequest, seconds: float) -> Exception:
        """``OperationalError`` 2003, as aiomysql's own."""
        message = f"Can't connect to MySQL server on {request.host!r} within {seconds:g} s (connect_timeout)"
        error: Exception = aiomysql.OperationalError(CR.CR_CONN_HOST_ERROR, message)
        return error

    async def create_pool(self, request: ConnectRequest, options: Mapping[str, Any], read: Read) -> Any:  # noqa: ARG002 - an aiomysql pool keeps what it was made with
        """Make an ``aiomysql.Pool`` whose connections all come from :meth:`connect`.

        Raises:
            ConfigurationError: There are several hosts, or ``charset`` is unknown.
        """
        _check(request)
        defaults = {name: POOL[name].default for name in ("minsize", "maxsize", "pool_recycle")}
        echo = request.driver_options.get("echo", POOL["echo"].default)
        loop = asyncio.get_running_loop()
        pool = Pool(lambda: self.connect(request), echo=echo, loop=loop, **{**defaults, **options})
        await pool.fill()
        return pool

    @staticmethod
    async def close(connection: Any, *, failed: bool) -> None:
        """Close a connection: with a farewell to the server, unless an exception is under way."""
        if failed:
            connection.close()
        else:
            await connection.ensure_closed()

    @staticmethod
    async def close_pool(pool: Any) -> None:
        """Close a pool and wait until its connections are given back, as aiomysql's own ``async with`` does."""
        pool.close()
        await pool.wait_closed()

    async def _dial(self, request: ConnectRequest, connection: Connection | None) -> Any:
        seconds = request.driver_options.get("connect_timeout")
        with Attempt(self, request, seconds, self._attempts) as attempt:
            made = await self._around(functools.partial(self._log_in, attempt, request, connection))(request)
            if made is None or isinstance(made, CoroutineType):
                raise no_connection(made)
            return made

    async def _log_in(
        self, attempt: Attempt, asked: ConnectRequest, connection: Connection | None, request: ConnectRequest
    ) -> Any:
        if connection is None:
            # A reconnect goes through the plugins again, with what was asked before they had their say.
            redial = functools.partial(self._dial, asked)
            connection = Connection(dial=redial, **request.driver_options)
        context = await trust.context(request.tls)
        try:
            await connection.log_in(
                request.password or "",
                tls=context,
                secret_needs_tls=request.tls.required,
                host=request.host or CONNECT["host"].default,
                port=request.port or self.default_port,
                user=request.user or DEFAULT_USER,
                db=request.database,
            )
        except Exception as error:
            trust.explain(error, request.tls, f"{request.host}:{request.port}")
            raise
        attempt.made(connection)
        return connection


def _check(request: ConnectRequest) -> None:
    if request.alternates:
        raise ConfigurationError("host: aiomysql connects to one host, and there are several; pass one")
    charset = request.driver_options.get("charset")
    # Refuse what ends in an AttributeError in aiomysql 0.3; nothing and an empty text are its default.
    if not charset or (isinstance(charset, str) and charset_by_name(charset) is not None):
        return
    # What Python calls them: "utf-8", "latin-1", "koi8_r".
    plain = charset.translate({ord(mark): None for mark in "-_ "}) if isinstance(charset, str) else ""
    hint = (
        f"did you mean {plain!r}?"
        if charset_by_name(plain) is not None
        else "MySQL's names are such as 'utf8mb4' and 'latin1'"
    )
    raise ConfigurationError(f"charset={charset!r} is unknown: {hint}")


def _typed(name: str, value: str) -> Any:
    if name in REFUSED:
        return value  # refused by name, like a keyword
    refuse_unknown([name], QUERY_TYPES, nobody="neither aiomysql nor a plugin in the chain")
    kind = QUERY_TYPES[name]
    if kind is str:
        return value
    try:
        return BOOLEANS[value.lower()] if kind is bool else float(value) if kind is float else int(value)
    except (KeyError, ValueError):
        expected = {bool: "true or false", float: "a number of seconds", int: "a whole number"}[kind]
        raise ConfigurationError(f"dsn: {name}={value!r} must be {expected}") from None
