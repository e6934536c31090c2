"""How long a token lives. Pure; wall clock seconds since the epoch."""

from typing import NamedTuple

from aws_iam_async.errors import ConfigurationError

# AWS accepts a token for this long after it was signed, in seconds.
SIGNED_FOR = 900
DEFAULT_EXPIRATION = 900
# Clocks differ, and a login takes its time: what the server or AWS enforces is taken to end this much earlier.
MARGIN = 30.0
# A clock may be slewed by this much without making a token one from the future.
BACKWARDS_TOLERANCE = 5.0


class Lifetime(NamedTuple):
    """When a token was signed, and until when it is good for what, by the wall clock.

    Attributes:
        issued: When it was signed, in whole seconds since the epoch.
        refresh: From when on a new one is wanted, in seconds since the epoch.
        expires: From when on it is not served any more, in seconds since the epoch.
        enforced: When the server refuses it, or AWS the credentials behind it, in seconds since the epoch; no later
            than that may it be used, even by those who waited for it.
    """

    issued: int
    refresh: float
    expires: float
    enforced: float


def parse_expiration(value: object, option: str) -> float:
    """Read for how long a token may be served from the cache.

    Args:
        value: Seconds, as a number or in decimal digits.
        option: The option that held it, for the message.

    Raises:
        ConfigurationError: It is not a number from 0 to 900.
    """
    # Compared before it is converted: there is no float of a huge int.
    if isinstance(value, str) and value.isascii() and value.replace(".", "", 1).isdigit():
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= SIGNED_FOR:
        raise ConfigurationError(
            f"{option} must be a number of seconds from 0 (no cache) to {SIGNED_FOR}, the longest that RDS accepts a"
            " token"
        )
    return float(value)


def plan(now: float, *, expiration: float, credentials_expire: float | None, draw: float) -> Lifetime:
    """Plan the life of a token that is signed now.

    A token signed with credentials in their last 30 s is expired from the start: it serves those who wait for it and
    nobody after them.

    Args:
        now: The present.
        expiration: How long the user wants it served from the cache, at most 900.
        credentials_expire: When the credentials that sign it expire; ``None`` for never.
        draw: A random number in [0, 1), so that a fleet which started together does not refresh together.
    """
    issued = int(now)
    enforced: float = issued + SIGNED_FOR
    if credentials_expire is not None and credentials_expire < enforced:
        enforced = credentials_expire
    served = enforced - MARGIN - issued
    # Not by min() and max(), a quarter of what this takes for each new token.
    if served > expiration:
        served = expiration
    elif served < 0:
        served = 0
    return Lifetime(issued, issued + served * (0.6 + 0.15 * draw), issued + served, enforced)


def good(lifetime: Lifetime, now: float) -> bool:
    """Return whether a token may be served now.

    One from the future may not: it was signed before the clock was set back. By the true time it may long be refused,
    and by this clock it would be served for too long.
    """
    return lifetime.issued - BACKWARDS_TOLERANCE <= now < lifetime.expires
