"""One attempt to connect: plugins around a driver's connect, bounded in time, host after host, and counted.

An attempt that fails leaves nothing behind.
"""

import asyncio
import contextlib
import functools
import inspect
import threading
from collections.abc import AsyncIterator, Awaitable, Hashable, Sequence
from types import CoroutineType
from typing import Any

from aws_iam_async.drivers.protocol import Driver
from aws_iam_async.errors import AwsIamError, ConfigurationError
from aws_iam_async.plugins.protocol import ConnectNext, Plugin
from aws_iam_async.request import ConnectRequest
from aws_iam_async.statistics import Counters

_UNFINISHED = (CoroutineType, asyncio.Future)  # what a plugin returns that forgot an `await`


class Pipeline:
    """Makes the physical connections of one manager with one driver, for single connects and for pools."""

    def __init__(
        self, driver: Driver, plugins: Sequence[Plugin], counters: Counters, closed: threading.Event | None = None
    ) -> None:
        self.driver = driver
        self.plugins = plugins
        self.counters = counters
        self.closed = closed or threading.Event()  # set by the manager

    async def connect(self, request: ConnectRequest, dial: ConnectNext | None = None, *, kind: type = object) -> Any:
        """Make one connection within the driver's own connect timeout, which covers the token, all hosts and retries.

        ``dial`` is the innermost layer, by default the driver's ``connect``. ``kind`` is the class that a pool accepts.
        """
        attempt = _Attempt(self.driver)
        dial = dial or functools.partial(self.driver.connect, reconnect=functools.partial(self.connect, request))
        try:
            async with self._time_limit(request):
                connection = await self._try_hosts(request, functools.partial(attempt.track, dial))
                if connection is None or isinstance(connection, _UNFINISHED):
                    raise _missing_connection_error(connection)
                if kind is not object and not (isinstance(connection, kind) and isinstance(connection, Hashable)):
                    raise _wrong_kind_error(connection, kind)
        except Exception:
            self.counters.failures += 1
            attempt.abort()
            raise
        except BaseException:  # a cancelled attempt is neither a success nor a failure
            attempt.abort()
            raise
        self.counters.connects += 1
        return connection

    def check_open(self) -> None:
        if self.closed.is_set():
            raise AwsIamError("this PluginManager is closed: open connections and pools while it is open")

    async def check(self, request: ConnectRequest) -> None:
        """Let the plugins refuse a wrong option, within the time limit of one connection.

        A pool may start empty, so that an option would otherwise be refused with its first connection.
        """
        async with self._time_limit(request):
            for plugin in self.plugins:
                if hasattr(plugin, "check"):
                    await call_plugin(plugin, "check", request)

    @contextlib.asynccontextmanager
    async def _time_limit(self, request: ConnectRequest) -> AsyncIterator[None]:
        seconds = request.driver_options.get(self.driver.time_limit, self.driver.default_time_limit)
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                yield
        except TimeoutError as error:
            if limit.expired():
                raise self.driver.timeout_error(request, seconds) from error
            raise

    async def _try_hosts(self, request: ConnectRequest, dial: ConnectNext) -> Any:
        """Try each host through all plugins, because a token is signed for one host."""
        last_error: Exception | None = None
        for candidate in self.driver.candidates(request):
            self.check_open()
            try:
                return await self._chain(dial)(candidate)
            except self.driver.unsuitable as error:
                last_error = last_error or error
            except self.driver.unreachable as error:
                if self.driver.login_rejected(error):
                    raise  # as in libpq
                last_error = error
        raise last_error or AwsIamError("there is no host to connect to")

    def _chain(self, dial: ConnectNext) -> ConnectNext:
        chain = dial
        for plugin in reversed(self.plugins):
            chain = functools.partial(_connect_through, plugin, chain)
        return chain


def _connect_through(plugin: Plugin, call_next: ConnectNext, request: ConnectRequest) -> Awaitable[Any]:
    return call_plugin(plugin, "connect", request, call_next)


async def call_plugin(plugin: Plugin, method: str, *arguments: Any) -> Any:
    returned = getattr(plugin, method)(*arguments)
    if not inspect.isawaitable(returned):
        name = f"{type(plugin).__name__}.{method}()"
        raise ConfigurationError(f"plugin method {name} is not async: write 'async def {method}(...)'")
    return await returned


class _Attempt:
    """The connections made in one attempt: a plugin may fail or be cancelled after it has received one."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.connections: list[Any] = []
        self.failed = False

    async def track(self, dial: ConnectNext, request: ConnectRequest) -> Any:
        connection = await dial(request)
        self.connections.append(connection)
        if self.failed:
            self.abort()
        return connection

    def abort(self) -> None:
        """Close all connections of this attempt, and those that are still to come."""
        self.failed = True
        while self.connections:
            self.driver.abort(self.connections.pop())


def _missing_connection_error(returned: Any) -> AwsIamError:
    if returned is not None:
        returned.close() if isinstance(returned, CoroutineType) else returned.cancel()
        return AwsIamError("a plugin's connect() returned a coroutine: write `return await call_next(request)`")
    return AwsIamError("a plugin's connect() returned nothing: it must return the result of call_next()")


def _wrong_kind_error(returned: Any, kind: type) -> AwsIamError:
    return AwsIamError(
        f"a plugin or a tracer returned an object of type {type(returned).__qualname__}, which the pool cannot hold."
        f" Return a hashable {kind.__qualname__} of {kind.__module__.partition('.')[0]}, as call_next() does"
    )
