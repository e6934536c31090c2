# The signatures of ``connect()`` and ``create_pool()``, driver by driver, for type checkers and editors.
#
# They are never imported at runtime. ``tests/typing/test_typed_options.py`` compares the names with the accepted ones.
#
# The string below an option of a plugin holds its meaning, then "Default: ..." or "Required". Editors show it, if they
# use ty (pyright 1.1 does not), and ``tools/options_table.py`` makes the tables of the docs from it.
#
# In ty 0.0.105 a TypedDict that is not closed accepts any other name too. A closed one cannot be extended, so each leaf
# is composed of open parts.

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import ModuleType
from typing import Any, Literal, Protocol, TypeAlias, Unpack, overload

import aiomysql
import asyncpg
import psycopg
import psycopg_pool
from psycopg.abc import AdaptContext
from psycopg.rows import AsyncRowFactory, TupleRow
from typing_extensions import TypedDict, TypeVar

from aws_iam_async.credentials.source import AwsSession, CredentialsCallable
from aws_iam_async.drivers.aiomysql.connection import Connection
from aws_iam_async.drivers.aiomysql.pool import Pool
from aws_iam_async.opening import Opening
from aws_iam_async.plugins.protocol import Plugin
from aws_iam_async.request import Role

RecordT = TypeVar("RecordT", bound=asyncpg.Record, default=asyncpg.Record)
RowT = TypeVar("RowT", default=TupleRow)

SslMode: TypeAlias = Literal["verify-full", "verify-ca", "require", "prefer", "allow", "disable"]
Session: TypeAlias = Literal["any", "primary", "standby", "read-write", "read-only", "prefer-standby"]

class IamOptions(TypedDict, total=False):
    iam_host: str | None
    """The endpoint to sign for and to verify, if ``host`` is an alias, an IP address or a tunnel. ``"auto"`` takes the
    canonical name of ``host`` (``iam`` only). Default: the dialled host."""
    iam_default_port: int | str | None
    """The port to sign for, 1 to 65535, if a tunnel is dialled on another one. Refused for Aurora DSQL, because its
    tokens contain no port. Default: the dialled port."""
    iam_region: str | None
    """The region to sign for. Any name of a region is accepted. Never taken from the environment. Default: from the
    host's name."""
    iam_token_expiration: float | None
    """Seconds a token may be served from the cache, 0 to 900. 0 makes a token for each connection. Default: 900."""
    cluster_instance_host_pattern: str | None
    """The pattern of a cluster's instance names, with one ``?``, such as ``?.xyz.us-east-2.rds.amazonaws.com``. It
    supplies the region if no host does. Refused for Aurora DSQL. Default: none."""
    profile: str | None
    """The AWS profile. Default: the SDK's default chain."""
    credentials: AwsSession | CredentialsCallable | None
    """An aiobotocore or aioboto3 session, or an async callable that returns ``Credentials``. Default: the SDK's default
    chain."""
    role_arn: str | None
    """The ARN of an IAM role to assume with the credentials. Default: none."""
    external_id: str | None
    """The external ID that the role's trust policy requires. Default: none."""
    role_session_name: str | None
    """The name of the role's session in AWS CloudTrail. Default: ``aws_iam_async``."""

class SecretOptions(TypedDict, total=False):
    secret_id: str | None
    """The name or the ARN of the secret. Required."""
    secret_region: str | None
    """The region of the secret. Default: from the ARN, ``iam_region`` or the host."""
    secret_endpoint: str | None
    """The URL of a VPC endpoint. Default: AWS's own."""
    secret_username_property: str | None
    """The property of the secret that holds the user. Default: ``username``."""
    secret_password_property: str | None
    """The property that holds the password. Default: ``password``."""
    secret_expiration: float | None
    """Seconds after which a secret is read again. 0 reads it after each connection. Default: 870."""

class PluginOptions(IamOptions, SecretOptions, total=False):
    role: Role | None
    """The servers that are accepted: ``"writer"`` or ``"reader"``. Required."""

class _Common(PluginOptions, total=False):
    plugins: str | Iterable[str | Plugin]  # of the functions only: a manager has its plugins
    user: str | None
    database: str | None
    ssl: ssl.SSLContext | SslMode | bool | None
    sslmode: SslMode | None
    sslrootcert: str | os.PathLike[str] | None

class _OneHost(TypedDict, total=False):
    password: str | None
    host: str | None
    port: int | str | None

class _Hosts(TypedDict, total=False):
    password: str | Callable[[], str | Awaitable[str]] | None
    host: str | list[str] | tuple[str, ...] | None
    port: int | str | list[int] | tuple[int, ...] | None

class _Asyncpg(_Common, total=False):
    loop: asyncio.AbstractEventLoop | None
    dbname: str | None
    passfile: str | os.PathLike[str] | None
    timeout: float | None
    statement_cache_size: int
    max_cached_statement_lifetime: int
    max_cacheable_statement_size: int
    command_timeout: float | None
    direct_tls: bool | None
    server_settings: dict[str, str] | None
    target_session_attrs: Session | None
    krbsrvname: str | None
    gsslib: Literal["gssapi", "sspi"] | None

class _Pool(TypedDict, total=False):
    max_connection_lifetime: float | None

class _AsyncpgPool(_Pool, total=False):
    init_size: int | None
    min_size: int
    max_size: int
    max_queries: int
    max_inactive_connection_lifetime: float
    setup: Callable[[Any], Awaitable[None]] | None
    init: Callable[[Any], Awaitable[None]] | None
    reset: Callable[[Any], Awaitable[None]] | None

class _Aiomysql(_Common, total=False):
    loop: asyncio.AbstractEventLoop | None
    db: str | None
    unix_socket: str | None
    charset: str
    sql_mode: str | None
    conv: Mapping[Any, Any]
    use_unicode: bool | None
    client_flag: int
    cursorclass: type[aiomysql.Cursor]
    init_command: str | None
    connect_timeout: float | None
    autocommit: bool | None
    echo: bool
    local_infile: bool
    auth_plugin: str
    program_name: str
    server_public_key: bytes | None

class _AiomysqlPool(_Pool, total=False):
    minsize: int
    maxsize: int
    pool_recycle: int

class _Psycopg(_Common, total=False):
    dbname: str | None
    connect_timeout: float | None
    autocommit: bool | None
    prepare_threshold: int | None
    context: AdaptContext | None
    cursor_factory: type[psycopg.AsyncCursor[Any]] | None
    # libpq 18's own
    application_name: str | None
    channel_binding: str | None
    client_encoding: str | None
    fallback_application_name: str | None
    gssdelegation: str | int | None
    gssencmode: str | None
    gsslib: Literal["gssapi", "sspi"] | None
    keepalives: str | int | None
    keepalives_count: str | int | None
    keepalives_idle: str | int | None
    keepalives_interval: str | int | None
    krbsrvname: str | None
    load_balance_hosts: str | None
    max_protocol_version: str | None
    min_protocol_version: str | None
    oauth_client_id: str | None
    oauth_client_secret: str | None
    oauth_issuer: str | None
    oauth_scope: str | None
    options: str | None
    passfile: str | os.PathLike[str] | None
    replication: str | None
    require_auth: str | None
    requirepeer: str | None
    scram_client_key: str | None
    scram_server_key: str | None
    ssl_max_protocol_version: str | None
    ssl_min_protocol_version: str | None
    sslcert: str | None
    sslcertmode: str | None
    sslcompression: str | int | None
    sslcrl: str | None
    sslcrldir: str | None
    sslkey: str | None
    sslkeylogfile: str | None
    sslnegotiation: str | None
    sslpassword: str | None
    sslsni: str | int | None
    target_session_attrs: Session | None
    tcp_user_timeout: str | int | None

class _PsycopgPool(_Pool, total=False):
    min_size: int
    open: bool
    configure: Callable[[Any], Awaitable[None]] | None
    check: Callable[[Any], Awaitable[None]] | None
    reset: Callable[[Any], Awaitable[None]] | None
    name: str | None
    close_returns: bool
    max_waiting: int
    max_lifetime: float
    max_idle: float
    reconnect_timeout: float
    reconnect_failed: Callable[[Any], Awaitable[None] | None] | None
    num_workers: int

class AsyncpgOptions(_Asyncpg, _Hosts, closed=True, total=False):
    connection_class: type[asyncpg.Connection[Any]]

class AsyncpgPoolOptions(_Asyncpg, _AsyncpgPool, _Hosts, closed=True, total=False):
    connection_class: type[asyncpg.Connection[Any]]

class AiomysqlOptions(_Aiomysql, _OneHost, closed=True, total=False): ...
class AiomysqlPoolOptions(_Aiomysql, _AiomysqlPool, _OneHost, closed=True, total=False): ...

class PsycopgOptions(_Psycopg, _Hosts, closed=True, total=False):
    connection_class: type[psycopg.AsyncConnection[Any]]

class PsycopgPoolOptions(_Psycopg, _PsycopgPool, _Hosts, closed=True, total=False):
    connection_class: type[psycopg.AsyncConnection[Any]]
    max_size: int | None
    timeout: float

class _AnyDriver(TypedDict, total=False):
    connection_class: type[Any]
    record_class: type[asyncpg.Record]
    row_factory: AsyncRowFactory[Any]

class ConnectOptions(_Asyncpg, _Aiomysql, _Psycopg, _AnyDriver, _Hosts, closed=True, total=False): ...
class PoolOptions(
    _Asyncpg,
    _AsyncpgPool,
    _Aiomysql,
    _AiomysqlPool,
    _Psycopg,
    _PsycopgPool,
    _AnyDriver,
    _Hosts,
    closed=True,
    total=False,
): ...

class Connect(Protocol):
    @overload
    def __call__(
        self,
        dsn: str | None = None,
        *,
        driver: Literal["asyncpg"],
        record_class: type[RecordT] = ...,
        **options: Unpack[AsyncpgOptions],
    ) -> Opening[asyncpg.Connection[RecordT]]: ...
    @overload
    def __call__(
        self, dsn: str | None = None, *, driver: Literal["aiomysql"], **options: Unpack[AiomysqlOptions]
    ) -> Opening[Connection]: ...
    @overload
    def __call__(
        self,
        dsn: str | None = None,
        *,
        driver: Literal["psycopg"],
        row_factory: AsyncRowFactory[RowT] = ...,
        **options: Unpack[PsycopgOptions],
    ) -> Opening[psycopg.AsyncConnection[RowT]]: ...
    @overload
    def __call__(
        self, dsn: str | None = None, *, driver: ModuleType | None = None, **options: Unpack[ConnectOptions]
    ) -> Opening[Any]: ...

class CreatePool(Protocol):
    @overload
    def __call__(
        self,
        dsn: str | None = None,
        *,
        driver: Literal["asyncpg"],
        record_class: type[RecordT] = ...,
        **options: Unpack[AsyncpgPoolOptions],
    ) -> Opening[asyncpg.Pool[RecordT]]: ...
    @overload
    def __call__(
        self, dsn: str | None = None, *, driver: Literal["aiomysql"], **options: Unpack[AiomysqlPoolOptions]
    ) -> Opening[Pool]: ...
    @overload
    def __call__(
        self,
        dsn: str | None = None,
        *,
        driver: Literal["psycopg"],
        row_factory: AsyncRowFactory[RowT] = ...,
        **options: Unpack[PsycopgPoolOptions],
    ) -> Opening[psycopg_pool.AsyncConnectionPool[psycopg.AsyncConnection[RowT]]]: ...
    @overload
    def __call__(
        self, dsn: str | None = None, *, driver: ModuleType | None = None, **options: Unpack[PoolOptions]
    ) -> Opening[Any]: ...
