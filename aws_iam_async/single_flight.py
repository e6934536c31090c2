"""One run of a function at a time for each key, shared by everyone who asks while it is under way.

Sharing, counting the waiters and cancelling a run that nobody waits for any more is ``async-lru``'s job. Two of its
habits (seen in 2.4.0) are kept from doing harm here, both by never using a key of its cache twice: its done-callback
removes whatever stands under the key of the run that ended, even the next run; and it forgets a cancelled run at once,
while that run's task still has to end.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeAlias, TypeVar

from async_lru import alru_cache

from aws_iam_async.errors import AwsIamError

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


# How a flight ended. A failure is a result too, so that no exception object is ever raised in two tasks.
_Landed: TypeAlias = tuple[T | None, Exception | None]


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
        self._numbers = itertools.count()
        self.flying: dict[K, int] = {}
        # Set when the function has ended. Those of keys that are not flying were cancelled.
        self._ends: dict[K, asyncio.Event] = {}
        self._shared = alru_cache(maxsize=None)(self._fly)

    async def cancelled_ones_end(self) -> None:
        """Wait until every run that was cancelled has ended."""
        while ends := [end for key, end in self._ends.items() if key not in self.flying]:
            await ends[0].wait()

    async def run(self, key: K) -> T:
        """Join the run for ``key``, or start it, and return its value.

        Raises:
            AwsIamError: A copy, made for this caller alone, of what the function raised; it has the same cause.
        """
        while True:
            number = self.flying.get(key)
            if number is None:
                number = self.flying[key] = next(self._numbers)
            try:
                value, error = await self._shared(key, number)
            except asyncio.CancelledError:
                if not self._shared.cache_contains(key, number):
                    self._land(key, number)
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                continue  # somebody cancelled the flight's own task, not this waiter
            if isinstance(error, AwsIamError):
                raise _own(error) from error.__cause__
            if error is not None:
                raise error
            return value  # type: ignore[return-value]  # a T wherever there is no error

    async def _fly(self, key: K, number: int) -> _Landed[T]:
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
            self._land(key, number)

    def _land(self, key: K, number: int) -> None:
        if self.flying.get(key) == number:
            del self.flying[key]
        self._shared.cache_invalidate(key, number)


def _own(error: AwsIamError) -> AwsIamError:
    # Not by calling its type: a caller's own kind of error may take other arguments than it passes on.
    own = type(error).__new__(type(error), *error.args)
    vars(own).update(vars(error))
    if hasattr(error, "__notes__"):
        own.__notes__ = [*error.__notes__]
    return own
