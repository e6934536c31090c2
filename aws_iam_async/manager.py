"""The plugin manager: reads what the caller wants, and lets a driver make it through the plugins."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType, ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, overload

from aws_iam_async import drivers
from aws_iam_async.errors import AwsIamError, ConfigurationError
from aws_iam_async.opening import Opening
from aws_iam_async.option_names import refuse_unknown
from aws_iam_async.plugins import registry
from aws_iam_async.plugins.iam.plugin import IamPlugin
from aws_iam_async.plugins.protocol import ConnectNext, Plugin, compose
from aws_iam_async.statistics import Attempts, Statistics
from aws_iam_async.tokens.service import TokenService

if TYPE_CHECKING:
    from typing import Unpack

    import asyncpg

    from aws_iam_async.drivers.aiomysql.connection import Connection
    from aws_iam_async.drivers.aiomysql.pool import Pool
    from aws_iam_async.drivers.protocol import Driver
    from aws_iam_async.options import Reader
    from aws_iam_async.typed_options import (
        AiomysqlOptions,
        AiomysqlPoolOptions,
        AsyncpgOptions,
        AsyncpgPoolOptions,
        ConnectOptions,
        IamOptions,
        PoolOptions,
        RecordT,
    )

__all__ = ["PluginManager", "close_connection", "close_pool"]


class PluginManager:
    """Makes connections and pools whose every physical connection goes through its plugins.

    It may be used from several event loops, in turn or at once: each has its own tokens.

    Args:
        plugins: A comma-separated text of codes, or a sequence of codes and plugin instances, outermost first. A code
            that is found by entry point is imported here, on the spot; ``connect()`` does that in a thread.
        refresh: ``"on_use"`` refreshes a token in the background when it is asked for near its end; ``"background"``
            keeps credentials, and the tokens asked for in the last hour, fresh by timer until ``aclose()``: after the
            first no connection waits for AWS.
        **options: Options of the plugins for everything that this manager opens, such as ``profile="prod"``. Those
            given with a connection win.

    Attributes:
        option_names: The names of all options that its plugins own.

    Raises:
        PluginNotFoundError: Nobody knows a plugin code.
        ConfigurationError: An option is unknown or wrong.
    """

    @overload
    def __init__(
        self,
        plugins: str | Iterable[str | Plugin] = "iam",
        *,
        refresh: Literal["on_use", "background"] = "on_use",
        **options: "Unpack[IamOptions]",
    ) -> None: ...
    @overload
    def __init__(
        self,
        plugins: str | Iterable[str | Plugin] = "iam",
        *,
        refresh: Literal["on_use", "background"] = "on_use",
        **options: Any,
    ) -> None: ...
    def __init__(
        self,
        plugins: str | Iterable[str | Plugin] = "iam",
        *,
        refresh: Literal["on_use", "background"] = "on_use",
        _tokens: TokenService | None = None,
        **options: Any,
    ) -> None:
        self._tokens = TokenService(refresh=refresh) if _tokens is None else _tokens
        built_in: dict[str, Callable[[], Plugin]] = {
            "iam": lambda: IamPlugin(self._tokens),
            "otel": lambda: registry.otel()(self._tokens),
        }
        self._plugins = registry.create(registry.split(plugins), built_in)
        self.option_names: frozenset[str] = frozenset(
            name for plugin in self._plugins for name in _option_names(plugin)
        )
        refuse_unknown(
            options,
            self.option_names,
            nobody="a manager keeps its plugins' options, others go with each connection; no plugin in the chain",
        )
        self._options: Mapping[str, Any] = MappingProxyType(options)
        self._adapters: dict[str, tuple[Driver, Reader]] = {}
        self._attempts = Attempts()
        self._closed = False

    @overload
    def connect(
        self,
        dsn: str | None = None,
        *,
        driver: Literal["asyncpg"],
        record_class: "type[RecordT]" = ...,
        **options: "Unpack[AsyncpgOptions]",
    ) -> "Opening[asyncpg.Connection[RecordT]]": ...
    @overload
    def connect(
        self, dsn: str | None = None, *, driver: Literal["aiomysql"], **options: "Unpack[AiomysqlOptions]"
    ) -> "Opening[Connection]": ...
    @overload
    def connect(
        self, dsn: str | None = None, *, driver: ModuleType | None = None, **options: "Unpack[ConnectOptions]"
    ) -> Opening[Any]: ...
    def connect(
        self, dsn: str | None = None, *, driver: str | ModuleType | None = None, **options: Any
    ) -> Opening[Any]:
        """Make one physical connection; see :func:`aws_iam_async.connect`."""
        return Opening(self._connect(dsn, driver, options), close_connection, dsn, driver)

    @overload
    def create_pool(
        self,
        dsn: str | None = None,
        *,
        driver: Literal["asyncpg"],
        record_class: "type[RecordT]" = ...,
        **options: "Unpack[AsyncpgPoolOptions]",
    ) -> "Opening[asyncpg.Pool[RecordT]]": ...
    @overload
    def create_pool(
        self, dsn: str | None = None, *, driver: Literal["aiomysql"], **options: "Unpack[AiomysqlPoolOptions]"
    ) -> "Opening[Pool]": ...
    @overload
    def create_pool(
        self, dsn: str | None = None, *, driver: ModuleType | None = None, **options: "Unpack[PoolOptions]"
    ) -> Opening[Any]: ...
    def create_pool(
        self, dsn: str | None = None, *, driver: str | ModuleType | None = None, **options: Any
    ) -> Opening[Any]:
        """Make a pool; see :func:`aws_iam_async.create_pool`."""
        return Opening(self._create_pool(dsn, driver, options), close_pool, dsn, driver)

    def statistics(self) -> Statistics:
        """What happened so far in all loops, as a frozen object; cheap enough to be polled."""
        attempts = self._attempts
        return self._tokens.statistics()._replace(connects=attempts.connects, failures=attempts.failures)

    async def aclose(self) -> None:
        """Stop what runs in the background on this loop and forget its tokens. Close pools first.

        What was opened stays open, but opens nothing new: that raises :class:`~aws_iam_async.AwsIamError`.
        """
        self._closed = True
        for plugin in self._plugins:
            if close := getattr(plugin, "aclose", None):
                await close()
        await self._tokens.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        return f"<PluginManager {state} plugins={[type(plugin).__name__ for plugin in self._plugins]}>"

    async def _connect(self, dsn: str | None, driver: str | ModuleType | None, keywords: Mapping[str, Any]) -> Any:
        name = drivers.driver_name(dsn, driver)
        adapter, reader = self._adapters.get(name) or await self._adapt(name)
        return await adapter.connect(reader.read(dsn, keywords, pool=False).request)

    async def _create_pool(self, dsn: str | None, driver: str | ModuleType | None, keywords: Mapping[str, Any]) -> Any:
        name = drivers.driver_name(dsn, driver)
        adapter, reader = self._adapters.get(name) or await self._adapt(name)
        request, pool_options = reader.read(dsn, keywords, pool=True)
        for plugin in self._plugins:
            # A pool may start empty: a wrong option shows now, not with the first connection.
            if check := getattr(plugin, "check", None):
                await check(request)
        return await adapter.create_pool(
            request, pool_options, lambda dsn, keywords: reader.read(dsn, keywords, pool=False).request
        )

    async def _adapt(self, name: str) -> "tuple[Driver, Reader]":
        adapter = await drivers.load(name)
        if name not in self._adapters:  # for the first of all who have waited for it
            made = adapter(self._around, self._attempts)
            self._adapters[name] = made, made.reader(self.option_names, self._options)
        return self._adapters[name]

    def _around(self, terminal: ConnectNext) -> ConnectNext:
        if self._closed:
            raise AwsIamError("this PluginManager is closed: open connections and pools while it is open")
        return compose(self._plugins, terminal)


def _option_names(plugin: Plugin) -> Iterable[str]:
    names: Iterable[str] = getattr(plugin, "option_names", ())
    if isinstance(names, str):
        raise ConfigurationError(
            f"{type(plugin).__name__}.option_names is a text, each letter of which would be a name;"
            f" write option_names = ({names!r},)"
        )
    return names


async def close_connection(dsn: str | None, driver: str | ModuleType | None, connection: Any, failed: bool) -> None:  # noqa: FBT001 - called back by Opening
    """Close what was opened with this DSN or driver, in the driver's own way."""
    await drivers.loaded(drivers.driver_name(dsn, driver)).close(connection, failed=failed)


async def close_pool(dsn: str | None, driver: str | ModuleType | None, pool: Any, _failed: bool) -> None:  # noqa: FBT001 - called back by Opening
    """Close a pool that was opened with this DSN or driver, in the driver's own way."""
    await drivers.loaded(drivers.driver_name(dsn, driver)).close_pool(pool)
