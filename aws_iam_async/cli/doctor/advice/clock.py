"""This machine's clock, by which tokens are signed."""

from aws_iam_async.cli.doctor.outcome import Advice

__all__ = ["clock_skew", "clock_unknown"]

# Signature Version 4 allows five minutes; a minute is what no clock that is kept in step is off.
TOLERATED = 60.0


def clock_skew(skew: float | None) -> Advice | None:
    """The clock is wrong; ``None`` if it is not, or nobody knows.

    Args:
        skew: Seconds by which it is ahead; negative: behind.
    """
    if skew is None or abs(skew) <= TOLERATED:
        return None
    if skew > 0:
        effect = "tokens are signed in the server's future, and refused if it is more than 5 minutes"
    else:
        effect = "tokens are older for the server than for this machine, and refused before their 15 minutes are over"
    return Advice(
        "clock-skew",
        f"This machine's clock is {abs(skew) / 60:.0f} min {'ahead' if skew > 0 else 'behind'}: {effect}. Set it, and "
        "keep it in step with NTP (Amazon's server is 169.254.169.123).",
        "timedatectl set-ntp true",
    )


def clock_unknown() -> Advice:
    """The clock might be wrong."""
    return Advice(
        "clock-unknown",
        "A clock more than 5 minutes off makes every token void, and this machine's could not be compared with AWS's.",
        "date -u",
    )
