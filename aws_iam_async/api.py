"""``connect()`` and ``create_pool()``, with one plugin manager for each event loop and ``plugins=``."""

from collections.abc import Iterable
from typing import Any

from aws_iam_async.manager import PluginManager
from aws_iam_async.opening import Close, Opening, typed_connect, typed_create_pool
from aws_iam_async.plugins import registry
from aws_iam_async.plugins.protocol import Plugin
from aws_iam_async.threads import LoopLocal
from aws_iam_async.tokens.service import default_service

_managers: LoopLocal[dict[tuple[str | Plugin, ...], PluginManager]] = LoopLocal(dict)


@typed_connect
def connect(
    dsn: str | None = None,
    *,
    driver: Any = None,
    plugins: str | Iterable[str | Plugin] = "iam",
    **options: Any,
) -> Opening[Any]:
    """Make one connection to an Amazon RDS, Aurora or Aurora DSQL database.

    Args:
        dsn: For example ``postgresql://app@shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com/shop``. Schemes:
            ``postgresql``, ``postgres``, ``postgresql+asyncpg``, ``postgresql+psycopg``, ``mysql``, ``mariadb``,
            ``mysql+aiomysql``, ``mariadb+aiomysql``, and those of other packages' drivers.
        driver: ``"asyncpg"``, ``"aiomysql"``, ``"psycopg"``, the imported module, or the name of another package's
            driver; default: the driver of the DSN's scheme.
        plugins: A comma-separated string of codes, or a sequence of codes and plugin instances, outermost first.
            ``"iam"`` (the default) logs in with a token, ``"secrets_manager"`` with a secret of AWS Secrets Manager.
            ``"role"`` accepts only the writer or a reader, as in ``plugins="role,iam"``. ``"otel"`` adds telemetry.
            ``""`` connects without plugins.
        **options: ``host``, ``port``, ``user``, ``database``; the options of the plugins, such as ``iam_region``;
            ``ssl``, ``sslmode``, ``sslrootcert``; and the driver's own keywords, passed through unchanged. They win
            over the DSN, and the DSN wins over the driver's environment variables.

    Returns:
        An object to await, or to enter with ``async with``. It gives the driver's own connection.

    Raises:
        ConfigurationError: An option is wrong, missing or unknown. Raised before any network traffic.
        CredentialsError: There are no AWS credentials, or their source fails.
        InsecureTransportError: The token would have been sent without TLS.
        Exception: The driver's own errors.
    """

    async def open_connection() -> tuple[Any, Close]:
        manager = await _manager(plugins)
        return await manager._open_connection(dsn, driver, options)  # noqa: SLF001 - connect() without another Opening

    return Opening(open_connection())


@typed_create_pool
def create_pool(
    dsn: str | None = None,
    *,
    driver: Any = None,
    plugins: str | Iterable[str | Plugin] = "iam",
    **options: Any,
) -> Opening[Any]:
    """Create a pool. Every physical connection, now or later, goes through the plugins.

    Args:
        dsn: As for :func:`connect`.
        driver: As for :func:`connect`.
        plugins: As for :func:`connect`.
        **options: As for :func:`connect`, and the keywords of the driver's own pool: ``min_size``, ``max_size``, ...
            for asyncpg and psycopg, ``minsize``, ``maxsize``, ``pool_recycle``, ... for aiomysql. With each driver,
            ``max_connection_lifetime`` is the age in seconds, 10 % more or less, from which a connection is replaced
            when it is released. Default: none, or psycopg's ``max_lifetime``.

    Returns:
        An object to await, or to enter with ``async with``. It gives the driver's own pool.

    Raises:
        Exception: As for :func:`connect`.
    """

    async def open_pool() -> tuple[Any, Close]:
        manager = await _manager(plugins)
        return await manager._open_pool(dsn, driver, options)  # noqa: SLF001 - the same

    return Opening(open_pool())


async def _manager(plugins: str | Iterable[str | Plugin]) -> PluginManager:
    chain = registry.split(plugins)
    managers = _managers.here()
    only_codes = isinstance(plugins, str) or all(isinstance(plugin, str) for plugin in chain)
    if only_codes and chain in managers:
        return managers[chain]
    await registry.discover(chain)
    manager = PluginManager(chain, _tokens=default_service())
    return managers.setdefault(chain, manager) if only_codes else manager  # every call may pass new instances
