"""What the answer of STS means for tokens."""

from aws_iam_async.cli.doctor.advice.clock import clock_skew
from aws_iam_async.cli.doctor.advice.credentials import refused_by_sts
from aws_iam_async.cli.doctor.outcome import Advice
from aws_iam_async.cli.doctor.sts import Identity

__all__ = ["about"]


def about(identity: Identity) -> tuple[Advice, ...]:
    """Return what is wrong with the credentials or the clock, if anything is.

    STS refuses what is signed by a wrong clock, too: then the clock is all that there is to say.
    """
    if (skewed := clock_skew(identity.skew)) is not None:
        return (skewed,)
    return () if identity.refusal is None else (refused_by_sts(identity.refusal),)
