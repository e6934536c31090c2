"""What this package needs to know about a database driver, and what drivers share."""

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol, TypeAlias
from weakref import WeakKeyDictionary

from aws_iam_async.errors import ConfigurationError
from aws_iam_async.request import ConnectRequest

Reconnect: TypeAlias = Callable[[Callable[[ConnectRequest], Awaitable[Any]]], Awaitable[Any]]
"""Goes through all plugins once more, with the given function as the innermost layer."""


class Watch(Protocol):
    """What a pool tells about its connections, and asks, so that plugins can have them replaced."""

    def failed(self, connection: Any, error: BaseException) -> None:
        """Take note of a statement that failed."""

    def is_suspect(self, connection: Any) -> bool:
        """Return whether :meth:`must_retire` has to be asked."""
        ...

    async def must_retire(self, connection: Any) -> bool:
        """Return whether to replace all connections of the pool.

        ``connection`` is a suspect that came back, outside a transaction. The answer is yes if it cannot be examined.
        """
        ...


class Driver(Protocol):
    """A database driver: data, and functions that know its connections, its pool and its errors. It has no state.

    A driver dials. It knows nothing of plugins, options, tokens or managers.

    It may also have the functions ``server_role`` and ``refuses_write`` of a :class:`ConnectRequest`, for the plugin
    ``role``.
    """

    name: str  # in driver=
    system: str  # "postgresql" or "mysql"
    default_port: int
    alpn: str | None  # the application protocol that it negotiates with TLS
    connect_options: frozenset[str]  # its own keywords for a connection, without those that a request has fields for
    pool_options: frozenset[str]  # the keywords of its pool that are not a connection's
    query_options: frozenset[str]  # the names that it reads in the query of a DSN, without those of a request's fields
    query_has_settings: bool  # whether other names in the query are settings for the server
    setting: str  # how to pass a setting of the server as a keyword, with its {name}; empty if there is no way
    time_limit: str  # the keyword that bounds a connection attempt, in seconds
    aliases: Mapping[str, str]  # its other names for a request's fields
    refused: Mapping[str, str]  # its keywords that cannot work here, with the alternative
    variables: Mapping[str, str]  # its own environment variables, by the request's field
    unreachable: tuple[type[Exception], ...]  # errors after which the next host is tried, unless login_rejected()
    unsuitable: tuple[type[Exception], ...]  # the same; raised only if every host failed in this way

    @property
    def default_time_limit(self) -> float | None:
        """The limit without that keyword."""
        ...

    def read_query(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Convert the query of a DSN into this driver's keywords, with their types."""
        ...

    def check(self, request: ConnectRequest) -> None:
        """Raise a ConfigurationError for a request that this driver cannot serve.

        Plugins call it again by ``request.check()``, with the TLS and the kind of secret that they will pass on.
        """

    def login_rejected(self, error: BaseException) -> bool:
        """Return whether ``error`` means that the server refused user and password."""
        ...

    def candidates(self, request: ConnectRequest) -> Iterable[ConnectRequest]:
        """Return a request for each of several hosts, in the order in which to try them."""
        ...

    async def connect(self, request: ConnectRequest, *, reconnect: Reconnect) -> Any:
        """Dial once, and log in with what is in the request. A failure or a cancellation leaves nothing behind.

        ``reconnect`` is for a driver that reconnects by itself.
        """
        ...

    def abort(self, connection: Any) -> None:
        """Close a connection at once, without waiting. It may be closed already."""

    def timeout_error(self, request: ConnectRequest, seconds: float) -> Exception:
        """Return the driver's own error for an attempt that took longer than ``seconds``."""
        ...

    async def create_pool(
        self,
        request: ConnectRequest,
        options: Mapping[str, Any],
        connect: Callable[..., Awaitable[Any]],
        watch: Watch | None,
    ) -> Any:
        """Create the driver's pool, with its own ``options``.

        ``connect()`` makes each of its connections. It accepts another DSN, the class that the pool accepts, and
        keywords, for a pool that can change. ``watch`` is there if a plugin wants to know of failed statements.
        """
        ...

    async def close(self, connection: Any, *, failed: bool) -> None:
        """Close a connection at the end of ``async with``; ``failed`` if an exception is being raised."""

    async def close_pool(self, pool: Any, *, failed: bool) -> None:
        """Close a pool at the end of ``async with``."""


def split_lifetime(options: Mapping[str, Any]) -> tuple[float | None, dict[str, Any]]:
    """Split a pool's options into ``max_connection_lifetime``, in seconds, and the others."""
    others = dict(options)
    seconds = others.pop("max_connection_lifetime", None)
    is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if seconds is not None and not (is_number and seconds > 0):
        raise ConfigurationError("max_connection_lifetime must be a number of seconds above 0")
    return seconds, others


class Lifetimes:
    """When the connections of a pool end: after ``seconds`` and up to 10 % more or less, so not all at once.

    All that are open end early if ``watch`` says so.
    """

    def __init__(self, seconds: float | None, watch: Watch | None = None) -> None:
        self._seconds = math.inf if seconds is None else seconds
        self._watch = watch
        self._ends: WeakKeyDictionary[Any, float] = WeakKeyDictionary()
        self._is_limited = seconds is not None

    def start(self, connection: Any) -> None:
        self._ends[connection] = time.monotonic() + self._seconds * random.uniform(0.9, 1.1)

    def is_over(self, connection: Any) -> bool:
        return self._is_limited and time.monotonic() >= self._ends.get(connection, math.inf)

    def is_suspect(self, connection: Any) -> bool:
        """Return whether :meth:`end_all_if_changed` has to be called."""
        if self._watch is None or not self._watch.is_suspect(connection):
            return False
        return self._ends.get(connection) != -math.inf  # else end_all() has ended it

    async def end_all_if_changed(self, suspect: Any) -> bool:
        """Ask ``watch`` about a suspect outside a transaction, and return whether all connections have ended now."""
        if self._watch is None or not await self._watch.must_retire(suspect):
            return False
        self.end_all()
        return True

    def end_all(self) -> None:
        self._ends = WeakKeyDictionary(dict.fromkeys(self._ends, -math.inf))
        self._is_limited = True


def abort_transport(transport: asyncio.WriteTransport) -> None:
    """Close a transport at once. It may be closed or lost already.

    CPython 3.11.2 (Debian 12) forgets what is behind a TLS transport that is closed after its connection was lost, and
    then raises an AttributeError in ``abort()``.
    """
    if getattr(transport, "_ssl_protocol", transport) is not None:
        transport.abort()


async def open_together(
    open_connection: Callable[[], Awaitable[Any]], count: int, abort: Callable[[Any], object], *, grace: float = 0.0
) -> list[Any]:
    """Open the first connections of a pool. A failure or a cancellation leaves none.

    After the first failure, which is raised, the others have ``grace`` seconds to end by themselves.
    """
    dials = [asyncio.ensure_future(open_connection()) for _ in range(count)]
    try:
        try:
            return await asyncio.gather(*dials)
        except Exception:
            await asyncio.wait(dials, timeout=grace)
            raise
    except BaseException:
        for dial in dials:
            dial.cancel()
        for opened in await asyncio.gather(*dials, return_exceptions=True):
            if not isinstance(opened, BaseException):
                abort(opened)
        raise
