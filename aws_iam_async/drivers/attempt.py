"""One attempt to connect: bounded in time, counted by how it ends, and whatever it made is closed if nobody gets it."""

import asyncio
from types import CoroutineType, TracebackType
from typing import Any, Protocol, Self

from aws_iam_async.deadlines import Deadlines, deadlines
from aws_iam_async.errors import AwsIamError
from aws_iam_async.request import ConnectRequest
from aws_iam_async.statistics import Attempts

__all__ = ["Attempt", "no_connection"]


class Dialler(Protocol):
    """The part of a driver's adapter that knows its connections and its errors."""

    def cut(self, connection: Any) -> None:
        """Close a connection at once, without waiting; one that is closed already, too."""

    def overdue(self, request: ConnectRequest, seconds: float) -> Exception:
        """Return the driver's own error for a connect that took longer than ``seconds``."""
        ...


class Attempt:
    """Bounds a block of code in time as ``asyncio.timeout`` does, and owns the connections made within it.

    At the end of its time the block is cancelled, and the driver's own error raised in place of that cancellation, from
    a ``TimeoutError``; also in place of a ``TimeoutError`` that a plugin has made of it. If the task was cancelled by
    somebody else as well, it stays cancelled.

    Unless it ends well, its connections are closed: a plugin may have got one from the rest of the chain and be
    cancelled, timed out or wrong afterwards, so that nobody would have it any more.

    Args:
        driver: Who makes them.
        request: What is asked for.
        seconds: From the entry on; ``None`` for no limit.
        counters: Where its end is counted.
    """

    __slots__ = (
        "_cancelling",
        "_counters",
        "_deadlines",
        "_driver",
        "_expired",
        "_failed",
        "_made",
        "_request",
        "_seconds",
        "_task",
    )

    def __init__(self, driver: Dialler, request: ConnectRequest, seconds: float | None, counters: Attempts) -> None:
        self._driver = driver
        self._request = request
        self._seconds = seconds
        self._counters = counters
        self._deadlines: Deadlines | None = None
        self._made: list[Any] = []
        self._failed: bool | None = None  # not known while it is under way
        self._expired = False

    def made(self, connection: Any) -> None:
        """Take a connection that the driver has just made; if this has failed already, close it."""
        if self._failed is None:
            self._made.append(connection)
        elif self._failed:
            self._driver.cut(connection)

    def __enter__(self) -> Self:
        if self._seconds is not None:
            task = asyncio.current_task()
            if task is None:
                raise RuntimeError("a time limit needs a task to cancel: await this in one")
            self._task = task
            self._cancelling = task.cancelling()
            self._deadlines = deadlines[task.get_loop()]
            self._deadlines.add(self, self._seconds)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        late = False
        if self._deadlines is not None:
            self._deadlines.remove(self)
            if self._expired:
                ours = self._task.uncancel() <= self._cancelling
                late = ours and isinstance(error, asyncio.CancelledError | TimeoutError)
        made, self._made = self._made, []
        self._failed = error is not None
        if error is None:
            self._counters.connects += 1
            return
        # A cancelled one is neither a success nor a failure.
        if late or isinstance(error, Exception):
            self._counters.failures += 1
        for connection in made:
            self._driver.cut(connection)
        if late:
            timeout = TimeoutError()
            timeout.__cause__ = error
            raise self._driver.overdue(self._request, self._seconds or 0) from timeout

    def expire(self) -> None:
        """Cancel the block: its time is over."""
        self._expired = True
        self._task.cancel()


def no_connection(returned: Any) -> AwsIamError:
    """Return the error for a chain of plugins that returned nothing, or what it should have awaited."""
    if isinstance(returned, CoroutineType):
        returned.close()
        return AwsIamError("a plugin's connect() returned a coroutine: write `return await call_next(request)`")
    return AwsIamError("a plugin's connect() returned nothing; it must return what call_next() gave")
