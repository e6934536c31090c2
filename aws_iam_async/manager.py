"""The plugin manager: options become a request, and a pipeline makes its connections."""

import threading
from collections.abc import Iterable, Mapping
from types import MappingProxyType, ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Self, overload

from aws_iam_async import drivers
from aws_iam_async.errors import ConfigurationError
from aws_iam_async.names import refuse_unknown
from aws_iam_async.opening import Close, Opening, typed_connect, typed_create_pool
from aws_iam_async.options import OptionsReader
from aws_iam_async.options.dsn import parse
from aws_iam_async.pipeline import Pipeline, call_plugin
from aws_iam_async.plugins import registry
from aws_iam_async.plugins.protocol import Plugin
from aws_iam_async.plugins.retirement import Retirement
from aws_iam_async.statistics import Counters, Statistics
from aws_iam_async.tokens.service import Refresh, TokenService

if TYPE_CHECKING:
    from typing import Unpack

    from aws_iam_async.options.typed import PluginOptions


class PluginManager:
    """Makes connections and pools. Every physical connection goes through its plugins.

    It may be used from several event loops, in turn or at once. Each loop has its own tokens.

    Args:
        plugins: A comma-separated string of codes, or a sequence of codes and plugin instances, outermost first. A code
            that is found by entry point is imported here, in this thread; ``connect()`` imports it in another one.
        refresh: ``"on_use"`` renews credentials and tokens when they are used late in their life. ``"background"`` also
            renews credentials by timer until ``aclose()``: after the first connection none waits for AWS.
        **options: Options of the plugins for everything that this manager opens, such as ``profile="prod"``. Options
            given with a connection win.

    Attributes:
        option_names: The names of all options that its plugins own.

    Raises:
        PluginNotFoundError: A plugin code is unknown.
        ConfigurationError: An option is unknown or wrong.
    """

    @overload
    def __init__(
        self,
        plugins: str | Iterable[str | Plugin] = "iam",
        *,
        refresh: Refresh = "on_use",
        **options: "Unpack[PluginOptions]",
    ) -> None: ...
    @overload
    def __init__(
        self, plugins: str | Iterable[str | Plugin] = "iam", *, refresh: Refresh = "on_use", **options: Any
    ) -> None: ...
    def __init__(
        self,
        plugins: str | Iterable[str | Plugin] = "iam",
        *,
        refresh: Refresh = "on_use",
        _tokens: TokenService | None = None,
        **options: Any,
    ) -> None:
        self._tokens = TokenService(refresh=refresh) if _tokens is None else _tokens
        chain = registry.split(plugins)
        self._plugin_names = ",".join(plugin if isinstance(plugin, str) else type(plugin).__name__ for plugin in chain)
        self._plugins = registry.create(chain, self._tokens)
        self.option_names: frozenset[str] = frozenset(
            name for plugin in self._plugins for name in _option_names(plugin)
        )
        where = f"for a PluginManager with plugins {self._plugin_names!r}"
        other = "pass options of the driver to connect() or create_pool()"
        refuse_unknown(options, self.option_names, where=where, other=other)
        self._options: Mapping[str, Any] = MappingProxyType(options)
        self._pipelines: dict[str, tuple[Pipeline, OptionsReader]] = {}
        self._counters = Counters()
        self._retirement = Retirement(self._plugins, self._counters, self._tokens.hooks)
        self._closed = threading.Event()

    @typed_connect
    def connect(
        self, dsn: str | None = None, *, driver: str | ModuleType | None = None, **options: Any
    ) -> Opening[Any]:
        """Make one physical connection; see :func:`aws_iam_async.connect`."""
        return Opening(self._open_connection(dsn, driver, options))

    @typed_create_pool
    def create_pool(
        self, dsn: str | None = None, *, driver: str | ModuleType | None = None, **options: Any
    ) -> Opening[Any]:
        """Create a pool; see :func:`aws_iam_async.create_pool`."""
        return Opening(self._open_pool(dsn, driver, options))

    def statistics(self) -> Statistics:
        """Return what happened so far in all loops, as a frozen object. It is cheap enough for polling."""
        counters = self._counters
        return self._tokens.statistics()._replace(
            connects=counters.connects,
            failures=counters.failures,
            wrong_servers=counters.wrong_servers,
            retirements=counters.retirements,
        )

    async def aclose(self) -> None:
        """Stop what runs in the background on this loop and forget its tokens. Close pools first.

        Open connections stay open. A new connection or pool raises :class:`~aws_iam_async.AwsIamError`. Timers stop
        first. Then all plugins are closed, even if this call is cancelled.

        Raises:
            BaseException: The first error of a plugin. A cancellation comes before it. The other errors are its notes.
        """
        self._closed.set()
        errors: list[BaseException] = []
        closable = [plugin for plugin in self._plugins if hasattr(plugin, "aclose")]
        for closing in (self._tokens.aclose(), *(call_plugin(plugin, "aclose") for plugin in closable)):
            try:
                await closing
            except BaseException as error:  # noqa: BLE001 - raised below
                errors.append(error)
        if errors:
            first, *others = sorted(errors, key=lambda error: isinstance(error, Exception))
            for other in others:
                first.add_note(f"Another plugin did not close: {type(other).__name__}: {other}")
            raise first

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        state = "closed" if self._closed.is_set() else "open"
        return f"<PluginManager {state} plugins={self._plugin_names!r}>"

    async def _open_connection(
        self, dsn: str | None, driver: str | ModuleType | None, keywords: Mapping[str, Any]
    ) -> tuple[Any, Close]:
        pipeline, reader = await self._pipeline(dsn, driver)
        connection = await pipeline.connect(reader.read(dsn, keywords, pool=False).request)
        return connection, pipeline.driver.close

    async def _open_pool(
        self, dsn: str | None, driver: str | ModuleType | None, keywords: Mapping[str, Any]
    ) -> tuple[Any, Close]:
        pipeline, reader = await self._pipeline(dsn, driver)
        pipeline.check_open()
        request, pool_options = reader.read(dsn, keywords, pool=True)
        await pipeline.check(request)

        async def connect(dsn: str | None = None, kind: type = object, /, **changed: Any) -> Any:
            changed_request = reader.read(dsn, changed, pool=False).request if dsn or changed else request
            return await pipeline.connect(changed_request, kind=kind)

        watch = self._retirement if self._retirement.is_needed else None
        pool = await pipeline.driver.create_pool(request, pool_options, connect, watch)
        return pool, pipeline.driver.close_pool

    async def _pipeline(self, dsn: str | None, driver: str | ModuleType | None) -> tuple[Pipeline, OptionsReader]:
        name = drivers.name_of(driver, None if dsn is None else parse(dsn).scheme)
        if name in self._pipelines:
            return self._pipelines[name]
        loaded = await drivers.load(name)
        pipeline = Pipeline(loaded, self._plugins, self._counters, self._retirement, self._closed)
        logins = filter(None, (getattr(plugin, "own_login", None) for plugin in self._plugins))
        reader = OptionsReader(loaded, self._plugin_names, self.option_names, self._options, next(logins, None))
        return self._pipelines.setdefault(name, (pipeline, reader))  # another caller may have been faster


def _option_names(plugin: Plugin) -> Iterable[str]:
    names: Iterable[str] = getattr(plugin, "option_names", ())
    if isinstance(names, str):
        raise ConfigurationError(
            f"{type(plugin).__name__}.option_names is a string, and each letter would be a name;"
            f" write option_names = ({names!r},)"
        )
    return names
