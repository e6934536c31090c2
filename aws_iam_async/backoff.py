"""When to try again what just failed, while what it would replace is still good. Pure; wall clock seconds."""

SHORTEST_DELAY = 1.0
LONGEST_DELAY = 600.0
# Before the last two minutes nothing is urgent, and an outage that is short is over by then.
URGENT = 120.0


def delay(left: float, draw: float) -> float:
    """Return the seconds to wait after a failure.

    Until about two minutes are left, and in those for three fifths to three quarters of what is left: few tries while
    nothing is urgent, and one a second at the very end. By chance, so that a fleet which lost an endpoint together does
    not come back to it together.

    Args:
        left: For how long that which is at hand can still be used.
        draw: A random number in [0, 1).
    """
    wait = max(left - URGENT * (1.2 - 0.4 * draw), left * (0.6 + 0.15 * draw))
    return min(max(wait, SHORTEST_DELAY), LONGEST_DELAY)


def due(now: float, retry_at: float) -> bool:
    """Whether ``retry_at`` has come. A clock that was set back must not put the next try off by hours."""
    return now >= retry_at or retry_at - now > LONGEST_DELAY
