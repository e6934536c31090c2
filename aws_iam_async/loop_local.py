"""State that belongs to one event loop.

Tasks and futures are bound to the loop that made them, so each loop gets a state of its own: a second loop, a thread
with its own loop and a forked child (which must start a loop of its own) never touch each other's.
"""

from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class LoopLocal(dict[AbstractEventLoop, T]):
    """One ``T`` for each event loop, made when it is first asked for and dropped after its loop was closed.

    To be asked for the running loop: ``states[asyncio.get_running_loop()]``.

    Args:
        factory: Makes the state; called with the new loop running.
    """

    def __init__(self, factory: Callable[[], T]) -> None:
        super().__init__()
        self._factory = factory

    def __missing__(self, loop: AbstractEventLoop) -> T:
        # The states hold tasks, and tasks hold their loop: weak keys would never die, so closed loops are swept.
        for other in [other for other in list(self) if other.is_closed()]:
            self.pop(other, None)
        state = self[loop] = self._factory()
        return state

    def states(self) -> list[T]:
        """Return those of all loops that were not swept yet; from any thread."""
        return list(self.values())
