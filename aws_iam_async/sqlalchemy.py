"""SQLAlchemy's asyncio engines, logged in through the plugins.

An engine keeps its URL, its pool and its dialect. Only the driver's connection is made here, with the URL as its DSN.
In SQLAlchemy 2.0.16 to 2.1 the arguments of a connection may contain an ``async_creator_fn``. The dialect calls it with
all other arguments.

Needs the extra ``sqlalchemy``.
"""

import functools
from collections.abc import Iterable, Mapping
from typing import Any, get_overloads
from weakref import WeakSet

try:
    import sqlalchemy
    from sqlalchemy import URL, Dialect, event, make_url
    from sqlalchemy.engine import ExceptionContext
    from sqlalchemy.exc import DisconnectionError
    from sqlalchemy.ext import asyncio as sqlalchemy_asyncio
    from sqlalchemy.ext.asyncio import AsyncEngine
    from sqlalchemy.pool import ConnectionPoolEntry, PoolResetState
except ModuleNotFoundError as error:
    raise ImportError("SQLAlchemy is not installed: pip install 'aws-iam-async[sqlalchemy]'") from error

from aws_iam_async import drivers
from aws_iam_async.drivers.protocol import Driver, Lifetimes, Watch
from aws_iam_async.errors import ConfigurationError
from aws_iam_async.manager import PluginManager
from aws_iam_async.names import PLUGIN_OPTIONS, nearest, refuse_unknown
from aws_iam_async.options import FIELDS, TLS_OPTIONS, merge
from aws_iam_async.options.dsn import parse
from aws_iam_async.plugins import registry
from aws_iam_async.plugins.protocol import Plugin
from aws_iam_async.tokens.service import default_service

__all__ = ["arm", "create_async_engine"]

CREATOR = "async_creator_fn"
# With these an engine does not ask its dialect for connections, and none would come through the plugins.
BYPASSES = ("async_creator", "creator", "pool")

# By dialect: engines that `execution_options()` returns share it, and the listener belongs to it.
_armed: WeakSet[Dialect] = WeakSet()


def create_async_engine(
    url: str | URL,
    *,
    plugins: str | Iterable[str | Plugin] | None = None,
    manager: PluginManager | None = None,
    **options: Any,
) -> AsyncEngine:
    """Create an engine. Every connection goes through the plugins.

    Args:
        url: ``postgresql+asyncpg://app@.../shop``, or one with ``postgresql+psycopg`` or ``mysql+aiomysql``. It is read
            as :func:`aws_iam_async.connect` reads a DSN. Its query may also contain options of SQLAlchemy's dialect.
        plugins: As for :func:`aws_iam_async.connect`; default: ``"iam"``. SQLAlchemy's own argument of this name is
            not available. Name SQLAlchemy's plugins in the URL, as ``?plugin=``.
        manager: The plugin manager to connect with, instead of ``plugins``.
        **options: The options of the plugins, such as ``iam_region``, and ``ssl``, ``sslmode``, ``sslrootcert``, which
            win over the URL. All others are passed to ``sqlalchemy.ext.asyncio.create_async_engine``. Pass the driver's
            own keywords in ``connect_args``.

    Returns:
        SQLAlchemy's own engine. It connects when it is first used. Wrong values raise an error then, before any network
        traffic.

    Raises:
        ConfigurationError: The URL is for another driver, or an option is unknown.
        DriverNotFoundError: The driver is not installed.
    """
    url = _read_url(url)
    if "plugins" in url.query:  # SQLAlchemy drops it
        raise ConfigurationError("dsn: plugins cannot be set there; pass it as a keyword")
    driver = _driver(url)
    manager = _manager(plugins, manager)
    own = {name: options.pop(name) for name in list(options) if name in manager.option_names | TLS_OPTIONS}
    for name in BYPASSES:
        if name in options:
            raise ConfigurationError(f"{name}: the engine connects through the plugins; write a plugin instead")
    try:
        engine = sqlalchemy_asyncio.create_async_engine(url, **options)
    except TypeError as error:
        # Only SQLAlchemy knows the options of its dialects and pools.
        _explain([name for name in options if f"'{name}'" in str(error)], manager, driver, error)
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
    """Let an existing engine connect through the plugins, from its next connection on.

    Connections in its pool stay as they are. An engine with a ``creator``, an ``async_creator`` or a ``pool`` of its
    own still connects with that.

    Args:
        engine: An engine for ``postgresql+asyncpg``, ``postgresql+psycopg`` or ``mysql+aiomysql``.
        plugins: As for :func:`aws_iam_async.connect`; default: ``"iam"``.
        manager: The plugin manager to connect with, instead of ``plugins``.
        **options: The options of the plugins, and ``ssl``, ``sslmode``, ``sslrootcert``. They win over the engine's URL
            and ``connect_args``.

    Raises:
        ConfigurationError: The engine is for another driver, or an option is unknown.
    """
    if not isinstance(engine, AsyncEngine):
        raise ConfigurationError(f"engine must be an AsyncEngine of SQLAlchemy, not {type(engine).__name__}")
    if engine.dialect in _armed:
        raise ConfigurationError("the engine is armed already; create another one for other plugins or options")
    driver = _driver(engine.url)
    manager = _manager(plugins, manager)
    refuse_unknown(options, manager.option_names | TLS_OPTIONS, where=f"for an engine with driver {driver.name}")
    _connect_through(manager, engine, driver, options)
    if (watch := manager._retirement).is_needed:  # noqa: SLF001 - the engine's pool is one more that the manager watches
        _watch_statements(engine, watch)
    _armed.add(engine.dialect)


def _connect_through(manager: PluginManager, engine: AsyncEngine, driver: Driver, options: Mapping[str, Any]) -> None:
    """Let the manager make the engine's connections, with ``options`` that win over the engine's own."""
    _, from_url = engine.dialect.create_connect_args(engine.url)

    # For a URL without host, user and database, psycopg's dialect in SQLAlchemy 2.0 passes an empty string.
    def connect(*_empty: str, **keywords: Any) -> Any:
        # The dialect passes strings of the URL on as they are, settings for the server among them: they are read from
        # the URL again. What it converted or added, and connect_args, are keywords. What is missing was for itself.
        arguments = {
            name: value for name, value in keywords.items() if not isinstance(value, str) or from_url.get(name) != value
        }
        _refuse_misplaced(arguments.keys() - manager.option_names, driver)
        query = {name: value for name, value in engine.url.query.items() if name not in from_url or name in keywords}
        dsn = _as_dsn(engine.url.set(drivername=f"{driver.system}+{driver.name}", query=query))
        return manager.connect(dsn, **merge(arguments, options, driver=driver))

    def replace_connect(_dialect: object, _record: object, _arguments: object, keywords: dict[str, Any]) -> None:
        # From the second connection on it is there already: SQLAlchemy 2.0.42 passes the same dict each time.
        if keywords.setdefault(CREATOR, connect) is not connect:
            raise ConfigurationError(f"the engine has its own {CREATOR}; remove it, or do not arm the engine")

    event.listen(engine.sync_engine, "do_connect", replace_connect)


def _watch_statements(engine: AsyncEngine, watch: Watch) -> None:
    """Tell ``watch`` of failed statements, and replace the pool's connections if it wants it.

    Connections are replaced when they are next checked out.
    """
    lifetimes = Lifetimes(None, watch)

    def connected(_connection: object, record: ConnectionPoolEntry) -> None:
        lifetimes.start(record.driver_connection)

    def failed(context: ExceptionContext) -> None:
        if context.connection is not None:
            error = context.original_exception
            # The dialect of asyncpg raises exceptions of its own from those of the driver.
            driver_error = error.__cause__ or error if engine.dialect.driver == "asyncpg" else error
            watch.failed(context.connection.connection.driver_connection, driver_error)

    def returned(connection: Any, record: ConnectionPoolEntry | None, state: PoolResetState) -> None:
        if record is not None and state.asyncio_safe and lifetimes.is_suspect(record.driver_connection):
            connection.rollback()
            connection.run_async(lifetimes.end_all_if_changed)

    def checked_out(_connection: object, record: ConnectionPoolEntry, _proxy: object) -> None:
        if lifetimes.is_over(record.driver_connection):
            raise DisconnectionError("the server of the connection has changed")

    event.listen(engine.sync_engine, "connect", connected)
    event.listen(engine.sync_engine, "handle_error", failed)
    event.listen(engine.sync_engine, "reset", returned)
    event.listen(engine.sync_engine, "checkout", checked_out)


def _read_url(url: str | URL) -> URL:
    """Read a URL as a DSN, and return it in a form that SQLAlchemy accepts."""
    dsn = parse(_as_dsn(url) if isinstance(url, URL) else url)
    if not dsn.hosts[1:]:
        return make_url(url.strip() if isinstance(url, str) else url)
    query = {
        "host": ",".join(host or "" for host, _ in dsn.hosts),
        "port": ",".join(port or "5432" for _, port in dsn.hosts),  # only a PostgreSQL URL may have several
    }
    return URL.create(dsn.scheme, dsn.user, dsn.password, database=dsn.database, query={**dsn.query, **query})


def _as_dsn(url: URL) -> str:
    return url.render_as_string(hide_password=False).replace(" ", "%20")


def _driver(url: URL) -> Driver:
    _, _, driver = url.drivername.partition("+")
    if driver not in drivers.BUILT_IN:
        schemes = [scheme for built_in in drivers.BUILT_IN.values() for scheme in built_in.schemes if "+" in scheme]
        raise ConfigurationError(f"the URL is for {url.drivername!r}; available: {', '.join(schemes)}")
    return drivers.load_now(driver)


def _manager(plugins: str | Iterable[str | Plugin] | None, manager: PluginManager | None) -> PluginManager:
    if manager is None:
        # Each engine has a manager. All share the default tokens.
        return PluginManager(registry.split("iam" if plugins is None else plugins), _tokens=default_service())
    if plugins is not None:
        raise ConfigurationError("plugins and manager exclude each other: a manager has its own plugins")
    if not isinstance(manager, PluginManager):
        raise ConfigurationError(f"manager must be a PluginManager, not {type(manager).__name__}")
    return manager


def _explain(names: Iterable[str], manager: PluginManager, driver: Driver, error: TypeError) -> None:
    """Raise an error with advice for options that SQLAlchemy does not know, or add the advice as a note."""
    own = _engine_options() | manager.option_names | TLS_OPTIONS
    for name in names:
        if name in driver.connect_options | FIELDS | driver.aliases.keys():
            raise ConfigurationError(
                f"{name} is an option of {driver.name}, not of the engine: pass connect_args={{{name!r}: ...}}"
            ) from error
        if nearest(name, own) or any(name in options for options in PLUGIN_OPTIONS.values()):
            refuse_unknown([name], own, where=f"for an engine with driver {driver.name}")
        if driver.setting and name not in driver.pool_options:
            error.add_note(
                f"If it is a setting of the server, pass connect_args=dict({driver.setting.format(name=name)})."
            )


def _refuse_misplaced(names: Iterable[str], driver: Driver) -> None:
    """Refuse options of the engine and of the driver's pool in ``connect_args``."""
    for name in frozenset(names) - driver.connect_options:
        if name in _engine_options():
            raise ConfigurationError(f"{name} is an option of the engine, not of {driver.name}: pass it to the engine")
        if name in driver.pool_options:
            meant = nearest(name, driver.connect_options | _engine_options())
            guess = f": did you mean {meant}?" if meant else ""
            raise ConfigurationError(f"{name} is an option of {driver.name}'s pool, and the engine has its own{guess}")


@functools.cache
def _engine_options() -> frozenset[str]:
    return frozenset(name for overload in get_overloads(sqlalchemy.create_engine) for name in overload.__annotations__)
