"""One run of a function at a time for each key, shared by everyone who asks while it is under way."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeAlias, TypeVar

from aws_iam_async.errors import AwsIamError

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

# How a flight ended. A failure is a result too, to be raised for each waiter by itself.
_Landed: TypeAlias = tuple[T | None, Exception | None]


class _Flight(Generic[T]):
    """A run, and how many wait for it."""

    task: "asyncio.Task[_Landed[T]]"
    waiters = 0


class SingleFlight(Generic[K, T]):
    """Runs ``function(key)``; callers who come while it runs wait for the same run. Bound to one event loop.

    Nothing is kept afterwards, neither a value nor a failure. A waiter that is cancelled changes nothing for the
    others; when the last one is, the run is cancelled as well. The next one for its key does not start before that one
    has ended, however long its function takes to clean up.

    Args:
        function: What to run.

    Attributes:
        flying: The keys whose run is under way; to be looked at only.
    """

    def __init__(self, function: Callable[[K], Awaitable[T]]) -> None:
        self._function = function
        self.flying: dict[K, _Flight[T]] = {}
        # Set when the function has ended. Those of keys that are not flying were cancelled.
        self._ends: dict[K, asyncio.Event] = {}

    async def cancelled_ones_end(self) -> None:
        """Wait until every run that was cancelled has ended, or the next one for its key waits for that."""
        while ends := [end for key, end in self._ends.items() if key not in self.flying]:
            await ends[0].wait()

    async def run(self, key: K) -> T:
        """Join the run for ``key``, or start it, and return its value.

        Raises:
            AwsIamError: A copy, made for this caller alone, of what the function raised; it has the same cause.
        """
        while True:
            flight = self.flying.get(key)
            if flight is None:
                flight = _Flight()
                # Not by create_task(): an eager one (CPython 3.12) would run before anybody could join it.
                flight.task = asyncio.Task(self._fly(key, flight), loop=asyncio.get_running_loop())
                self.flying[key] = flight
            flight.waiters += 1
            try:
                value, error = await asyncio.shield(flight.task)
            except asyncio.CancelledError:
                if flight.waiters == 1 or flight.task.done():
                    self._land(key, flight)
                    flight.task.cancel()
                if _cancelled():
                    raise
                continue  # somebody cancelled the flight's own task, not this waiter
            finally:
                flight.waiters -= 1
            if isinstance(error, AwsIamError):
                raise _own(error) from error.__cause__
            if error is not None:
                raise error
            return value  # type: ignore[return-value]  # a T wherever there is no error

    async def _fly(self, key: K, flight: _Flight[T]) -> _Landed[T]:
        try:
            while (before := self._ends.get(key)) is not None:
                await before.wait()
            end = self._ends[key] = asyncio.Event()
            try:
                return await self._function(key), None
            except Exception as error:  # noqa: BLE001 - handed on whole, to each waiter
                return None, error
            finally:
                del self._ends[key]
                end.set()
        finally:
            self._land(key, flight)
            del flight  # whose task holds the exception, whose traceback holds this frame

    def _land(self, key: K, flight: _Flight[T]) -> None:
        if self.flying.get(key) is flight:
            del self.flying[key]


def _cancelled() -> bool:
    """Whether somebody wants to cancel the current task."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _own(error: AwsIamError) -> AwsIamError:
    # Not by calling its type: a caller's own kind of error may take other arguments than it passes on.
    own = type(error).__new__(type(error), *error.args)
    vars(own).update(vars(error))
    if hasattr(error, "__notes__"):
        own.__notes__ = [*error.__notes__]
    return own
