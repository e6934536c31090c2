"""An event loop that runs one round at a time, when the test calls it."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class SteppedLoop(asyncio.SelectorEventLoop):
    """An event loop with a clock that only the test advances."""

    def __init__(self) -> None:
        self.now = 0.0
        self.rounds = 0
        self.time_of_round = self.time_of_previous_round = 0.0
        super().__init__()

    def time(self) -> float:
        return self.now

    def step(self, rounds: int = 1) -> None:
        """Run what is ready, and not what becomes ready by it."""
        for _ in range(rounds):
            self.rounds += 1
            self.time_of_previous_round, self.time_of_round = self.time_of_round, self.now
            self.call_soon(self.stop)
            self.run_forever()

    def inside(self, function: Callable[[], T]) -> T:
        """Call a function as if this loop were running."""
        asyncio._set_running_loop(self)
        try:
            return function()
        finally:
            asyncio._set_running_loop(None)
