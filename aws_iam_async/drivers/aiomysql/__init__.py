"""aiomysql: MySQL and MariaDB.

What may be sent: see ``Connection._start_tls`` and ``_process_auth`` in ``connection.py``, and ``context`` and
``context_key`` in ``tls/contexts.py``.
"""

import functools
import inspect
import traceback
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import aiomysql
from aiomysql.connection import Connection as PlainConnection
from pymysql.charset import charset_by_name
from pymysql.constants import CR, ER

from aws_iam_async.drivers.aiomysql.connection import Connection
from aws_iam_async.drivers.aiomysql.pool import Pool
from aws_iam_async.drivers.protocol import Reconnect, Watch, split_lifetime
from aws_iam_async.errors import ConfigurationError
from aws_iam_async.request import ConnectRequest, Role
from aws_iam_async.tls import contexts

# Keywords that a request has fields for.
FIELDS = frozenset({"host", "port", "user", "password", "db", "ssl"})
# In aiomysql 0.3 the file wins over the keywords: it would replace the host that the token is for, and the token.
REFUSED = dict.fromkeys(
    ("read_default_file", "read_default_group"),
    "option files are not read; pass host, port, user and database themselves",
) | {"server_settings": "pass settings of the server as init_command='SET name = value'"}
# Of the server's options --read-only and others, of a read-only transaction, and of InnoDB in read-only mode.
READ_ONLY = frozenset({1290, 1792, 1836})
OFF = (0, "0", "OFF", None)
# The functions of aiomysql 0.3 that read the server's greeting, and its answer to a statement.
NO_LOGIN = frozenset({"_get_server_information", "_read_query_result"})
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
    name = "aiomysql"
    system = "mysql"
    default_port = 3306
    alpn: str | None = None
    connect_options = frozenset(CONNECT) - FIELDS - frozenset(REFUSED)
    pool_options = frozenset(POOL) - frozenset(CONNECT) - {"kwargs"} | {"max_connection_lifetime"}
    query_options = frozenset(QUERY_TYPES) | frozenset(REFUSED)
    query_has_settings = False
    setting = "init_command='SET {name} = ...'"
    time_limit = "connect_timeout"
    default_time_limit: float | None = None
    aliases: Mapping[str, str] = MappingProxyType({"db": "database"})
    refused: Mapping[str, str] = MappingProxyType(REFUSED)
    variables: Mapping[str, str] = MappingProxyType({})
    unreachable: tuple[type[Exception], ...] = ()
    unsuitable: tuple[type[Exception], ...] = ()

    def read_query(self, query: Mapping[str, str]) -> dict[str, Any]:
        # Refused names are refused by the options reader, like keywords.
        return {name: value if name in REFUSED else _convert(name, value) for name, value in query.items()}

    def check(self, request: ConnectRequest) -> None:
        """Refuse several hosts, and what aiomysql 0.3 answers with a bare TypeError or AttributeError."""
        if request.alternates:
            raise ConfigurationError("host: aiomysql connects to one host; pass one instead of several")
        if request.password is not None and not isinstance(request.password, str):
            raise ConfigurationError("password: aiomysql does not call a function; pass a string")
        charset = request.driver_options.get("charset")
        # An empty value is aiomysql's default.
        if not charset or (isinstance(charset, str) and charset_by_name(charset) is not None):
            return
        # Python's spellings: "utf-8", "latin-1", "koi8_r".
        plain = charset.translate({ord(mark): None for mark in "-_ "}) if isinstance(charset, str) else ""
        known = charset_by_name(plain) is not None
        hint = f"did you mean {plain!r}?" if known else "MySQL's names are 'utf8mb4' and 'latin1', for example"
        raise ConfigurationError(f"charset={charset!r} is unknown: {hint}")

    def login_rejected(self, error: BaseException) -> bool:
        """Errno 1045, "Access denied for user", unless the server sent it before the login or for a statement."""
        if not isinstance(error, aiomysql.MySQLError) or error.args[:1] != (ER.ACCESS_DENIED_ERROR,):
            return False
        return all(frame.f_code.co_name not in NO_LOGIN for frame, _ in traceback.walk_tb(error.__traceback__))

    def refuses_write(self, error: BaseException) -> bool:
        """An option of the server forbids writes (1290, 1836), or the transaction does (1792)."""
        return isinstance(error, aiomysql.MySQLError) and not READ_ONLY.isdisjoint(error.args[:1])

    async def server_role(self, connection: Any, *, ask: bool = False) -> Role:
        """A server is a reader if it is ``read_only``, or if InnoDB is, as on a reader of Aurora."""
        async with connection.cursor(aiomysql.Cursor) as cursor:
            await cursor.execute("SELECT @@global.innodb_read_only, @@global.read_only")
            # MariaDB 12 has words for the values.
            return "writer" if all(value in OFF for value in await cursor.fetchone()) else "reader"

    def candidates(self, request: ConnectRequest) -> Iterable[ConnectRequest]:
        return (request,)

    async def connect(self, request: ConnectRequest, *, reconnect: Reconnect) -> Connection:

        def dial(connection: Connection) -> Awaitable[Connection]:
            return reconnect(functools.partial(_log_in, connection))

        return await _log_in(Connection(dial=dial, **request.driver_options), request)

    def abort(self, connection: Any) -> None:
        connection.close()

    def timeout_error(self, request: ConnectRequest, seconds: float) -> Exception:
        message = f"Can't connect to MySQL server on {request.host!r} within {seconds:g} s (connect_timeout)"
        error: Exception = aiomysql.OperationalError(CR.CR_CONN_HOST_ERROR, message)
        return error

    async def create_pool(
        self,
        request: ConnectRequest,
        options: Mapping[str, Any],
        connect: Callable[..., Awaitable[Any]],
        watch: Watch | None,
    ) -> Pool:
        """Create a :class:`Pool`, an ``aiomysql.Pool``, and open its first connections."""
        lifetime, options = split_lifetime(options)
        dial = functools.partial(connect, None, PlainConnection)
        pool = Pool(dial, watch, lifetime, echo=request.driver_options.get("echo", False), **options)
        await pool.fill()
        return pool

    async def close(self, connection: Any, *, failed: bool) -> None:
        """Close a connection; send COM_QUIT to the server unless an exception is being raised."""
        if failed:
            connection.close()
        else:
            await connection.ensure_closed()

    async def close_pool(self, pool: Any, *, failed: bool) -> None:
        """Close a pool after its connections were released, like aiomysql's own ``async with``."""
        pool.close()
        await pool.wait_closed()


async def _log_in(connection: Connection, request: ConnectRequest) -> Connection:
    try:
        await connection.log_in(request)
    except Exception as error:
        contexts.add_certificate_note(error, request.tls, request.host, request.port)
        raise
    return connection


def _convert(name: str, value: str) -> Any:
    kind = QUERY_TYPES[name]
    if kind is str:
        return value
    try:
        return BOOLEANS[value.lower()] if kind is bool else float(value) if kind is float else int(value)
    except (KeyError, ValueError):
        expected = {bool: "true or false", float: "a number of seconds", int: "a whole number"}[kind]
        raise ConfigurationError(f"dsn: {name}={value!r} must be {expected}") from None
