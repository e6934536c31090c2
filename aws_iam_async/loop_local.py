"""State that belongs to one event loop.

Tasks and futures are bound to the loop that made them, so each loop gets a state of its own: a second loop, a thread
with its own loop and a forked child (which must start a loop of its own) never touch each other's.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class LoopLocal(Generic[T]):
    """One ``T`` for each running loop, made on first use and dropped after its loop was closed.

    Args:
        factory: Makes the state; called with the new loop running.
    """

    def __init__(self, factory: Callable[[], T]) -> None:
        self._factory = factory
        self._states: dict[asyncio.AbstractEventLoop, T] = {}

    def get(self) -> T:
        """Return the running loop's state.

        Raises:
            RuntimeError: No loop is running.
        """
        loop = asyncio.get_running_loop()
        state = self._states.get(loop)
        if state is None:
            # The states hold tasks, and tasks hold their loop: weak keys would never die, so closed loops are swept.
            for other in [other for other in list(self._states) if other.is_closed()]:
                self._states.pop(other, None)
            state = self._states[loop] = self._factory()
        return state

    def pop(self) -> T | None:
        """Take the running loop's state out and return it, or ``None`` if there is none."""
        return self._states.pop(asyncio.get_running_loop(), None)

    def __iter__(self) -> Iterator[T]:
        """The states of all loops that were not swept yet."""
        return iter(list(self._states.values()))
