"""The two functions for everyone: they use one plugin manager per event loop, made when it is first needed."""

import asyncio
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, overload

from aws_iam_async.loop_local import LoopLocal
from aws_iam_async.manager import PluginManager, close_connection, close_pool
from aws_iam_async.opening import Opening
from aws_iam_async.plugins import registry
from aws_iam_async.plugins.protocol import Plugin
from aws_iam_async.tokens.service import default_service

if TYPE_CHECKING:
    from typing import Unpack

    import asyncpg

    from aws_iam_async.drivers.aiomysql.connection import Connection
    from aws_iam_async.drivers.aiomysql.pool import Pool
    from aws_iam_async.typed_options import (
        AiomysqlOptions,
        AiomysqlPoolOptions,
        AsyncpgOptions,
        AsyncpgPoolOptions,
        ConnectOptions,
        PoolOptions,
        RecordT,
    )

__all__ = ["connect", "create_pool"]

# By what was passed as plugins=, and by what that comes to.
_managers: LoopLocal[dict[str | tuple[str | Plugin, ...], PluginManager]] = LoopLocal(dict)


@overload
def connect(
    dsn: str | None = None,
    *,
    driver: Literal["asyncpg"],
    plugins: str | Iterable[str | Plugin] = "iam",
    record_class: "type[RecordT]" = ...,
    **options: "Unpack[AsyncpgOptions]",
) -> "Opening[asyncpg.Connection[RecordT]]": ...
@overload
def connect(
    dsn: str | None = None,
    *,
    driver: Literal["aiomysql"],
    plugins: str | Iterable[str | Plugin] = "iam",
    **options: "Unpack[AiomysqlOptions]",
) -> "Opening[Connection]": ...
@overload
def connect(
    dsn: str | None = None,
    *,
    driver: ModuleType | None = None,
    plugins: str | Iterable[str | Plugin] = "iam",
    **options: "Unpack[ConnectOptions]",
) -> Opening[Any]: ...
def connect(
    dsn: str | None = None,
    *,
    driver: str | ModuleType | None = None,
    plugins: str | Iterable[str | Plugin] = "iam",
    **options: Any,
) -> Opening[Any]:
    """Make one connection to an Amazon RDS or Aurora database.

    Args:
        dsn: For example ``postgresql://app@shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com/shop``. Schemes:
            ``postgresql``, ``postgres``, ``postgresql+asyncpg``, ``mysql``, ``mariadb``, ``mysql+aiomysql``.
        driver: ``"asyncpg"``, ``"aiomysql"`` or the imported module; default: what the DSN's scheme says.
        plugins: A comma-separated text of codes, or a sequence of codes and plugin instances, outermost first.
            ``""`` connects with none.
        **options: ``host``, ``port``, ``user``, ``database``; the options of the plugins, such as ``iam_region``;
            ``ssl``, ``sslmode``, ``sslrootcert``; and the driver's own keywords, passed through unchanged. They win
            over the DSN, the DSN over the driver's environment variables.

    Returns:
        To be awaited, or entered with ``async with``. It gives the driver's own connection.

    Raises:
        ConfigurationError: An option is wrong, missing or unknown; before any network traffic.
        CredentialsError: There are no AWS credentials, or their source fails.
        InsecureTransportError: The server would have got the token without TLS.
        Exception: What the driver raises.
    """
    return Opening(_connect(dsn, driver, plugins, options), close_connection, dsn, driver)


@overload
def create_pool(
    dsn: str | None = None,
    *,
    driver: Literal["asyncpg"],
    plugins: str | Iterable[str | Plugin] = "iam",
    record_class: "type[RecordT]" = ...,
    **options: "Unpack[AsyncpgPoolOptions]",
) -> "Opening[asyncpg.Pool[RecordT]]": ...
@overload
def create_pool(
    dsn: str | None = None,
    *,
    driver: Literal["aiomysql"],
    plugins: str | Iterable[str | Plugin] = "iam",
    **options: "Unpack[AiomysqlPoolOptions]",
) -> "Opening[Pool]": ...
@overload
def create_pool(
    dsn: str | None = None,
    *,
    driver: ModuleType | None = None,
    plugins: str | Iterable[str | Plugin] = "iam",
    **options: "Unpack[PoolOptions]",
) -> Opening[Any]: ...
def create_pool(
    dsn: str | None = None,
    *,
    driver: str | ModuleType | None = None,
    plugins: str | Iterable[str | Plugin] = "iam",
    **options: Any,
) -> Opening[Any]:
    """Make a pool whose every physical connection, now or later, goes through the plugins.

    Args:
        dsn: As for :func:`connect`.
        driver: As for :func:`connect`.
        plugins: As for :func:`connect`.
        **options: As for :func:`connect`, and the keywords of the driver's own pool: ``min_size``, ``max_size``, ...
            for asyncpg, ``minsize``, ``maxsize``, ``pool_recycle``, ... for aiomysql.

    Returns:
        To be awaited, or entered with ``async with``. It gives the driver's own pool.

    Raises:
        ConfigurationError: An option is wrong, missing or unknown; before any network traffic.
        CredentialsError: There are no AWS credentials, or their source fails.
        InsecureTransportError: The server would have got the token without TLS.
        Exception: What the driver raises.
    """
    return Opening(_create_pool(dsn, driver, plugins, options), close_pool, dsn, driver)


async def _connect(
    dsn: str | None,
    driver: Any,
    plugins: str | Iterable[str | Plugin],
    options: Mapping[str, Any],
) -> Any:
    manager = _managers[asyncio.get_running_loop()].get(plugins) if isinstance(plugins, str) else None
    # What its connect() does, less a second Opening.
    return await (manager or await _manager(plugins))._connect(dsn, driver, options)  # noqa: SLF001


async def _create_pool(
    dsn: str | None,
    driver: Any,
    plugins: str | Iterable[str | Plugin],
    options: Mapping[str, Any],
) -> Any:
    return await (await _manager(plugins))._create_pool(dsn, driver, options)  # noqa: SLF001 - the same


async def _manager(plugins: str | Iterable[str | Plugin]) -> PluginManager:
    chain = registry.split(plugins)
    if not all(isinstance(plugin, str) for plugin in chain):
        # Chains with instances are the caller's to keep: he may pass new ones with every call.
        await registry.discover(chain)
        return PluginManager(chain, _tokens=default_service())
    managers = _managers[asyncio.get_running_loop()]
    if chain not in managers:
        await registry.discover(chain)
        managers.setdefault(chain, PluginManager(chain, _tokens=default_service()))
    manager = managers[chain]
    if isinstance(plugins, str):
        managers[plugins] = manager
    return manager
