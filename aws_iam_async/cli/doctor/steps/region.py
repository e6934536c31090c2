"""The region that is signed for."""

from aws_iam_async import RegionError
from aws_iam_async.cli.connection import spelt_for_the_shell
from aws_iam_async.cli.doctor.advice import endpoint as advice
from aws_iam_async.cli.doctor.findings import Findings
from aws_iam_async.cli.doctor.outcome import Passed, StepFailedError

__all__ = ["run"]


async def run(found: Findings) -> Passed:
    """Compare it with the one in the endpoint's name."""
    if isinstance(found.login, RegionError):
        given = "iam_region" in found.request.options
        reason = advice.region_malformed() if given else advice.region_missing()
        raise StepFailedError(spelt_for_the_shell(str(found.login)), reason)
    found.signed = found.login
    region, named = found.signed.region, None if found.endpoint is None else found.endpoint.region
    if named is None:
        return Passed(f"{region}, given: the endpoint's name does not say it")
    if named != region:
        return Passed(f"{region}, though the endpoint's name says {named}", (advice.wrong_region(region, named),))
    return Passed(f"{region}, from the endpoint's name")
