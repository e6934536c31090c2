"""One attempt to connect: plugins around a driver's connect, bounded in time, host after host, and counted.

An attempt that fails leaves nothing behind. While plugins refuse every server, the hosts are tried again and again.
"""

import asyncio
import functools
import inspect
import math
import threading
from collections.abc import Awaitable, Callable, Hashable, Sequence
from types import CoroutineType
from typing import Any

from aws_iam_async.drivers.protocol import Driver
from aws_iam_async.errors import AwsIamError, ConfigurationError, WrongServerError
from aws_iam_async.plugins.protocol import ConnectNext, Plugin
from aws_iam_async.plugins.retirement import Retirement
from aws_iam_async.request import ConnectRequest
from aws_iam_async.search import Search
from aws_iam_async.statistics import Counters
from aws_iam_async.threads import LoopLocal

LONGEST_SEARCH = 60.0  # seconds; for a driver without a time limit
_NO_LOGIN = "Neither an option nor a plugin set a password. To log in with IAM, add 'iam' to plugins="


class Pipeline:
    """Makes the physical connections of one manager with one driver, for single connects and for pools."""

    def __init__(
        self,
        driver: Driver,
        plugins: Sequence[Plugin],
        counters: Counters,
        retirement: Retirement,
        closed: threading.Event | None = None,
    ) -> None:
        self.driver = driver
        self.plugins = plugins
        self.counters = counters
        self.retirement = retirement
        self._searches: LoopLocal[dict[Hashable, Search]] = LoopLocal(dict)
        self.closed = closed or threading.Event()  # set by the manager

    async def connect(self, request: ConnectRequest, dial: ConnectNext | None = None, *, kind: type = object) -> Any:
        """Make one connection within the driver's own connect timeout, which covers the token, all hosts and retries.

        ``dial`` is the innermost layer, by default the driver's ``connect``. ``kind`` is the class that a pool accepts.
        """
        dial = dial or functools.partial(self.driver.connect, reconnect=functools.partial(self.connect, request))
        connections: list[Any] = []  # more than one if a plugin tries again
        failed = False

        async def track(request: ConnectRequest) -> Any:
            try:
                connection = await dial(request)
            except Exception as error:
                if request.password is None and request.login_rejected(error):
                    error.add_note(_NO_LOGIN)
                raise
            if failed:  # a plugin went on in a task of its own
                self.driver.abort(connection)
            else:
                connections.append(connection)
            return connection

        chain: ConnectNext = track
        for plugin in reversed(self.plugins):
            chain = functools.partial(_connect_through, plugin, chain)

        def abort_all() -> None:
            while connections:
                self.driver.abort(connections.pop())

        try:
            connection = await self._within_limit(request, functools.partial(self._search, request, chain, abort_all))
            _refuse_unusable(connection, kind)
        except BaseException as error:
            failed = True
            abort_all()  # a plugin may fail or be cancelled after it has received one
            self.counters.failures += isinstance(error, Exception)  # not if it was cancelled
            raise
        self.counters.connects += 1
        self.retirement.opened(connection, request)
        return connection

    def check_open(self) -> None:
        if self.closed.is_set():
            raise AwsIamError("this PluginManager is closed: open connections and pools while it is open")

    async def check(self, request: ConnectRequest) -> None:
        """Let the plugins refuse a wrong option, within the time limit of one connection.

        A pool may start empty, so that an option would otherwise be refused with its first connection.
        """

        async def check_all() -> None:
            for plugin in self.plugins:
                if hasattr(plugin, "check"):
                    await call_plugin(plugin, "check", request)

        await self._within_limit(request, check_all)

    def _limit(self, request: ConnectRequest) -> float | None:
        seconds: float | None = request.driver_options.get(self.driver.time_limit, self.driver.default_time_limit)
        return seconds

    async def _within_limit(self, request: ConnectRequest, work: Callable[[], Awaitable[Any]]) -> Any:
        seconds = self._limit(request)
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                return await work()
        except TimeoutError as error:
            if limit.expired() and seconds is not None:
                timeout_error = self.driver.timeout_error(request, seconds)
                for note in getattr(error.__cause__, "__notes__", ()):  # of the CancelledError, by a plugin too
                    timeout_error.add_note(note)
                raise timeout_error from error
            raise

    async def _search(self, request: ConnectRequest, chain: ConnectNext, abort_all: Callable[[], None]) -> Any:
        """Try the hosts. If a plugin refuses a server, wait for another one, together with others that do."""
        try_hosts = functools.partial(self._try_hosts, request, chain, abort_all)
        search = self._search_under_way(request)
        if search is None:
            try:
                return await try_hosts()
            except WrongServerError as error:
                search = self._searches.here().setdefault(_search_key(request), Search())
                search.note_refusal(error)
        return await search.run(try_hosts, LONGEST_SEARCH if self._limit(request) is None else math.inf)

    def _search_under_way(self, request: ConnectRequest) -> Search | None:
        if not self._searches:  # no plugin has ever refused a server
            return None
        searches = self._searches.here()
        for key in [key for key, search in searches.items() if search.is_over]:
            del searches[key]
        return searches.get(_search_key(request))

    async def _try_hosts(self, request: ConnectRequest, chain: ConnectNext, abort_all: Callable[[], None]) -> Any:
        """Try each host through all plugins, because a token is signed for one host."""
        last_error: Exception | None = None
        refusal: WrongServerError | None = None
        for candidate in self.driver.candidates(request):
            self.check_open()
            try:
                return await chain(candidate)
            except WrongServerError as error:
                self.counters.wrong_servers += 1
                refusal = error
            except self.driver.unsuitable as error:
                last_error = last_error or error
            except self.driver.unreachable as error:
                if self.driver.login_rejected(error):
                    raise  # as in libpq
                last_error = error
            abort_all()  # what a plugin may have received
        raise refusal or last_error or AwsIamError("there is no host to connect to")


def _search_key(request: ConnectRequest) -> Hashable:
    """Return what the requests of one pool or engine have in common. An engine has one for each connection."""
    options = frozenset((name, value) for name, value in request.options.items() if isinstance(value, str))
    return request.host, request.port, request.alternates, options


def _connect_through(plugin: Plugin, call_next: ConnectNext, request: ConnectRequest) -> Awaitable[Any]:
    return _awaitable(plugin, "connect", plugin.connect(request, call_next))


async def call_plugin(plugin: Plugin, method: str, *arguments: Any) -> Any:
    return await _awaitable(plugin, method, getattr(plugin, method)(*arguments))


def _awaitable(plugin: Plugin, method: str, returned: object) -> Awaitable[Any]:
    if inspect.isawaitable(returned):
        return returned
    name = f"{type(plugin).__name__}.{method}()"
    raise ConfigurationError(f"plugin method {name} is not async: write 'async def {method}(...)'")


def _refuse_unusable(returned: Any, kind: type) -> None:
    if returned is None:
        raise AwsIamError("a plugin's connect() returned nothing: it must return the result of call_next()")
    if isinstance(returned, (CoroutineType, asyncio.Future)):
        returned.close() if isinstance(returned, CoroutineType) else returned.cancel()
        raise AwsIamError("a plugin's connect() returned a coroutine: write `return await call_next(request)`")
    if kind is not object and not (isinstance(returned, kind) and isinstance(returned, Hashable)):
        raise AwsIamError(
            f"a plugin or a tracer returned an object of type {type(returned).__qualname__}, which the pool cannot"
            f" hold. Return a hashable {kind.__qualname__} of {kind.__module__.partition('.')[0]}, as call_next() does"
        )
