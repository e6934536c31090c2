"""Refresh by timer: ``refresh="background"``."""

import asyncio
import weakref
from collections.abc import Callable
from typing import Protocol

# Seconds. A timer runs on the monotonic clock, which stands still while a machine sleeps and knows nothing of a wall
# clock that is set: look at the latter now and then.
_LONGEST = 60.0
_SHORTEST = 1.0


class Refreshable(Protocol):
    """What is kept fresh: the tokens of a cache, the credentials of a service."""

    def next_refresh(self) -> float | None:
        """Return when the first of them wants to be refreshed; wall clock time."""

    def refresh_due(self) -> None:
        """Start refreshing what is due."""


class RefreshTimer:
    """Keeps tokens and credentials fresh, used or not. One timer for all of them, and none while there are none.

    The event loop holds the timer, and the timer holds this object weakly: it ends with its owner.

    Args:
        clock: The wall clock.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._handle: asyncio.TimerHandle | None = None
        self._cancelled = False
        self._kept_fresh: tuple[Refreshable, ...] = ()

    @property
    def running(self) -> bool:
        """Whether a timer is set."""
        return self._handle is not None

    def attach(self, *kept_fresh: Refreshable) -> None:
        """Say what to keep fresh."""
        self._kept_fresh = kept_fresh

    def plan(self, refresh_at: float) -> None:
        """Ring no later than at ``refresh_at``, wall clock time; never any more once it was cancelled."""
        if self._cancelled:
            return
        loop = asyncio.get_running_loop()
        delay = min(max(refresh_at - self._clock(), _SHORTEST), _LONGEST)
        if self._handle is not None:
            if self._handle.when() <= loop.time() + delay:
                return
            self._handle.cancel()
        self._handle = loop.call_later(delay, _ring, weakref.ref(self))

    def cancel(self) -> None:
        """Stop for good."""
        self._cancelled = True
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._kept_fresh = ()

    def ring(self) -> None:
        """Start what is due, and set the timer for what comes next."""
        self._handle = None
        for refreshable in self._kept_fresh:
            refreshable.refresh_due()
        times = [time for refreshable in self._kept_fresh if (time := refreshable.next_refresh()) is not None]
        if times:
            self.plan(min(times))


def _ring(reference: "weakref.ref[RefreshTimer]") -> None:
    timer = reference()
    if timer is not None:
        timer.ring()
