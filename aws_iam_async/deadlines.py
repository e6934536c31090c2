"""Deadlines, all those of an event loop kept by one timer.

A timer of its own for each connect would be set and cancelled again in nearly every case, which alone is a sixth of
what a warm connect costs in CPython 3.11.
"""

import asyncio
import contextvars
import math
from typing import Protocol

from aws_iam_async.loop_local import LoopLocal

__all__ = ["Deadlines", "deadlines"]


class Bounded(Protocol):
    """What has a deadline."""

    def expire(self) -> None:
        """Its time is over."""


class Deadlines:
    """What has to end in time. Bound to one event loop.

    The timer is not touched when something ends in time. It rings for nobody then, once, and is gone.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._running: dict[Bounded, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = math.inf

    def add(self, bounded: Bounded, seconds: float) -> None:
        """Expire ``bounded`` so many seconds from now, unless it is removed before."""
        deadline = self._running[bounded] = self._loop.time() + seconds
        if deadline < self._rings_at:
            self._set(deadline)

    def remove(self, bounded: Bounded) -> None:
        """It has ended, in time or not."""
        self._running.pop(bounded, None)

    def _set(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        # In no context: it would keep that of whoever came first alive, a web request's say, until it rings.
        self._timer = self._loop.call_at(deadline, self._ring, context=contextvars.Context())
        self._rings_at = deadline

    def _ring(self) -> None:
        # A loop may call early, by as much as the resolution of its clock.
        now = max(self._loop.time(), self._rings_at)
        self._timer, self._rings_at = None, math.inf
        late = [bounded for bounded, deadline in self._running.items() if deadline <= now]
        for bounded in late:
            self.remove(bounded)
        if self._running:
            self._set(min(self._running.values()))
        for bounded in late:
            bounded.expire()


deadlines = LoopLocal(Deadlines)
