"""When to try again what just failed. Pure; wall clock seconds."""

FIRST_DELAY = 1.0
LONGEST_DELAY = 30.0


def delay(failures: int, draw: float) -> float:
    """Return the seconds to wait after so many failures in a row.

    Doubles from one second up to thirty. Half of it is left to chance, so that a fleet which lost an endpoint together
    does not come back to it together.

    Args:
        failures: Failures in a row, 1 or more.
        draw: A random number in [0, 1).
    """
    full: float = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(failures - 1, 10))
    return full * (0.5 + 0.5 * draw)


def due(now: float, retry_at: float) -> bool:
    """Whether ``retry_at`` has come. A clock that was set back must not put the next try off by hours."""
    return now >= retry_at or retry_at - now > LONGEST_DELAY
