"""Who the credentials belong to. What STS says is evidence for the login; by itself it stops nothing."""

import asyncio
import functools

from aws_iam_async import offload
from aws_iam_async.cli.doctor import sts
from aws_iam_async.cli.doctor.advice.credentials import sts_unreachable
from aws_iam_async.cli.doctor.advice.identity import about
from aws_iam_async.cli.doctor.findings import Findings
from aws_iam_async.cli.doctor.outcome import Passed

__all__ = ["run"]

# Seconds. Where a network has no way to STS, nobody says so, and the login does not need it.
PATIENCE = 5.0


async def run(found: Findings) -> Passed:
    """Ask STS."""
    if not found.target.asks_sts:
        return Passed("not asked for (--no-sts)")
    seconds = min(found.target.timeout, PATIENCE)
    ask = functools.partial(
        sts.ask,
        found.snapshot.credentials,
        region=found.signed.region,
        profile=found.request.options.get("profile"),
        timeout=seconds,
    )
    try:
        async with asyncio.timeout(seconds):  # looking its name up can take longer than the call may
            identity = found.identity = await offload.wait(offload.start(ask, name="STS"))
    except (sts.StsUnreachableError, TimeoutError) as error:
        reason = str(error) or type(error).__name__
        return Passed(f"STS does not answer ({reason}): identity and clock are not checked", (sts_unreachable(),))
    warnings = about(identity)
    if identity.refusal is not None:
        return Passed(f"STS refuses the credentials: {identity.refusal}", warnings)
    clock = "" if identity.skew is None else f", clock {abs(identity.skew):.0f} s off"
    return Passed(f"{identity.arn}{clock}", warnings)
