"""An event loop with a simulated clock, in which waiting takes no time."""

import asyncio
import selectors


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that advances its clock to the next timer when it would otherwise wait."""

    def __init__(self) -> None:
        self._elapsed = 0.0
        super().__init__(_Selector(self))

    def time(self) -> float:
        """Return the simulated time in seconds."""
        return self._elapsed

    def jump(self, seconds: float) -> None:
        """Advance the clock."""
        self._elapsed += seconds


class _Selector(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0 if timeout is not None else 5)  # without timers, a test hangs
        if not ready:
            assert timeout is not None, "nothing to wait for"
            self._loop.jump(timeout)
        return ready
