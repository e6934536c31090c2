"""SQLAlchemy's asyncio engines on asyncpg and aiomysql, logged in through the plugins.

An engine keeps its URL, its pool and its dialect. What changes is who makes the driver's connection: the dialects of
SQLAlchemy 2.0.16 to 2.1 let the arguments of a connect hold an ``async_creator_fn``, which is called with all others,
those that the dialect itself adds included.

Needs the extra ``sqlalchemy``.
"""

from collections.abc import Iterable, Mapping
from typing import Any, get_overloads
from weakref import WeakSet

try:
    import sqlalchemy
    from sqlalchemy import URL, event, make_url
    from sqlalchemy.ext import asyncio as sqlalchemy_asyncio
    from sqlalchemy.ext.asyncio import AsyncEngine
except ModuleNotFoundError as error:
    raise ImportError("SQLAlchemy is not installed: pip install 'aws-iam-async[sqlalchemy]'") from error

from aws_iam_async import drivers
from aws_iam_async.errors import ConfigurationError
from aws_iam_async.manager import PluginManager
from aws_iam_async.option_names import nearest, refuse_unknown
from aws_iam_async.options import TLS_OPTIONS
from aws_iam_async.plugins import registry
from aws_iam_async.plugins.protocol import Plugin
from aws_iam_async.tokens.service import default_service

__all__ = ["arm", "create_async_engine"]

CREATOR = "async_creator_fn"
# With these an engine does not ask its dialect for connections, and nothing would come through the plugins.
BYPASSES = ("async_creator", "creator", "pool")

_armed: WeakSet[sqlalchemy.Engine] = WeakSet()


def create_async_engine(
    url: str | URL,
    *,
    plugins: str | Iterable[str | Plugin] | None = None,
    manager: PluginManager | None = None,
    **options: Any,
) -> AsyncEngine:
    """Make an engine whose every connection goes through the plugins.

    Args:
        url: ``postgresql+asyncpg://app@.../shop`` or ``mysql+aiomysql://app@.../shop``. The plugins' options may also
            stand in its query; they reach neither the driver nor the server.
        plugins: As for :func:`aws_iam_async.connect`; default: ``"iam"``. SQLAlchemy's own argument of this name is
            out of reach; plugins of SQLAlchemy can be named in the URL, as ``?plugin=``.
        manager: The plugin manager to connect with, instead of ``plugins``.
        **options: The options of the plugins, such as ``iam_region``, and ``ssl``, ``sslmode``, ``sslrootcert``: they
            win over the URL. All others are those of ``sqlalchemy.ext.asyncio.create_async_engine``; the driver's own
            keywords go into its ``connect_args``.

    Returns:
        SQLAlchemy's own engine. It connects when it is first used; wrong values are found then, before any network
        traffic.

    Raises:
        ConfigurationError: The URL is for another driver, or an option is unknown.
        DriverNotFoundError: The driver is not installed.
    """
    driver = _driver_name(make_url(url))
    manager = _manager(plugins, manager)
    own = {name: options.pop(name) for name in list(options) if name in manager.option_names | TLS_OPTIONS}
    for name in BYPASSES:
        if name in options:
            raise ConfigurationError(f"{name}: the engine connects through the plugins; write a plugin instead")
    try:
        engine = sqlalchemy_asyncio.create_async_engine(url, **options)
    except ModuleNotFoundError:
        drivers.load_now(driver)  # if it was the driver that is missing, this says what to install
        raise
    except TypeError as error:
        # SQLAlchemy alone knows which options a dialect or a pool has; it refuses what none of them takes.
        _refuse_unknown(options, manager.option_names | TLS_OPTIONS, driver, error)
        raise
    arm(engine, manager=manager, **own)
    return engine


def arm(
    engine: AsyncEngine,
    *,
    plugins: str | Iterable[str | Plugin] | None = None,
    manager: PluginManager | None = None,
    **options: Any,
) -> None:
    """Let an engine that was made elsewhere connect through the plugins, from its next connection on.

    Connections that are in its pool already stay as they are. An engine that was made with ``creator``,
    ``async_creator`` or a ``pool`` of its own goes on connecting in that way.

    Args:
        engine: One for ``postgresql+asyncpg`` or ``mysql+aiomysql``.
        plugins: As for :func:`aws_iam_async.connect`; default: ``"iam"``.
        manager: The plugin manager to connect with, instead of ``plugins``.
        **options: The options of the plugins, and ``ssl``, ``sslmode``, ``sslrootcert``. They win over the engine's URL
            and ``connect_args``.

    Raises:
        ConfigurationError: The engine is for another driver, or an option is unknown.
    """
    if not isinstance(engine, AsyncEngine):
        raise ConfigurationError(f"engine must be an AsyncEngine of SQLAlchemy, not {type(engine).__name__}")
    if engine.sync_engine in _armed:
        raise ConfigurationError("the engine was armed before; make another one for other plugins or options")
    driver = _driver_name(engine.url)
    manager = _manager(plugins, manager)
    refuse_unknown(options, manager.option_names | TLS_OPTIONS)

    def connect(**keywords: Any) -> Any:
        if isinstance(keywords.get("ssl"), dict):
            raise ConfigurationError(
                "ssl as a dict, which is what SQLAlchemy makes of ssl_ca and its like in a URL, is not read here:"
                " pass sslrootcert, sslmode, or an SSLContext as ssl"
            )
        given = _over(keywords, options)
        return manager.connect(driver=driver, **given)  # type: ignore[call-overload]  # only the URL says which driver

    def replace_connect(_dialect: object, _record: object, _arguments: object, keywords: dict[str, Any]) -> None:
        # Our own is there before us from the second connect on: SQLAlchemy 2.0.42 passes the same dict each time.
        if keywords.setdefault(CREATOR, connect) is not connect:
            raise ConfigurationError(f"the engine has its own {CREATOR}; let one of them connect")

    event.listen(engine.sync_engine, "do_connect", replace_connect)
    _armed.add(engine.sync_engine)


def _driver_name(url: URL) -> str:
    _, _, driver = url.drivername.partition("+")
    if driver not in drivers.ADAPTERS:
        raise ConfigurationError(
            f"the URL is for {url.drivername!r}; write 'postgresql+asyncpg://' or 'mysql+aiomysql://'"
        )
    return driver


def _manager(plugins: str | Iterable[str | Plugin] | None, manager: PluginManager | None) -> PluginManager:
    if manager is None:
        # One for each engine, but with the tokens that all share.
        return PluginManager(registry.split("iam" if plugins is None else plugins), _tokens=default_service())
    if plugins is not None:
        raise ConfigurationError("plugins and manager exclude each other: a manager has its plugins")
    return manager


def _over(keywords: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Merge as a DSN and keywords are merged: who says anything about TLS says all of it."""
    given = {name: value for name, value in options.items() if value is not None}
    replaced = TLS_OPTIONS if given.keys() & {"ssl", "sslmode"} else frozenset()
    return {name: value for name, value in keywords.items() if name not in replaced} | given


def _refuse_unknown(options: Iterable[str], own: frozenset[str], driver: str, error: TypeError) -> None:
    engine = {name for overload in get_overloads(sqlalchemy.create_engine) for name in overload.__annotations__}
    for name in options:
        if name in engine:
            continue
        if name in drivers.load_now(driver).connect_options:
            raise ConfigurationError(
                f"{name} is an option of {driver}, not of the engine: pass connect_args={{{name!r}: ...}}"
            ) from error
        if meant := nearest(name, own | engine):
            raise ConfigurationError(f"unknown option {name!r}: did you mean {meant}?") from error
