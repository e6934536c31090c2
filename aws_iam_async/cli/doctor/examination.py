"""The examination: which steps there are, what each needs, and how far it comes."""

import time
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import NamedTuple

from aws_iam_async.cli.connection import spelt_for_the_shell
from aws_iam_async.cli.doctor.findings import Findings, Target
from aws_iam_async.cli.doctor.outcome import Advice, Passed, Status, StepFailedError, StepResult
from aws_iam_async.cli.doctor.redaction import redacted
from aws_iam_async.cli.doctor.steps import (
    credentials,
    dns,
    driver,
    endpoint,
    identity,
    login,
    options,
    query,
    region,
    tcp,
    tls,
    token,
)
from aws_iam_async.errors import ConfigurationError

__all__ = ["STEPS", "Step", "examine"]


class Step(NamedTuple):
    """A step of the examination.

    Attributes:
        name: What it looks at.
        run: Does it.
        needs: The steps without whose success it would prove nothing.
    """

    name: str
    run: Callable[[Findings], Awaitable[Passed]]
    needs: tuple[str, ...] = ()


STEPS = (
    Step("driver", driver.run),
    Step("options", options.run, ("driver",)),
    Step("endpoint", endpoint.run, ("options",)),
    Step("region", region.run, ("endpoint",)),
    Step("credentials", credentials.run, ("options",)),
    Step("identity", identity.run, ("region", "credentials")),
    Step("token", token.run, ("region", "credentials")),
    Step("dns", dns.run, ("endpoint",)),
    Step("tcp", tcp.run, ("dns",)),
    Step("tls", tls.run, ("tcp", "region")),
    Step("login", login.run, ("token", "tls")),
    Step("query", query.run, ("login",)),
)


async def examine(
    target: Target,
    *,
    begun: Callable[[str], None] = lambda _name: None,
    ended: Callable[[StepResult], None] = lambda _result: None,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[StepResult, ...]:
    """Go through all the steps, leaving out those that would prove nothing.

    Args:
        target: What is examined.
        begun: Told the name of each step that begins.
        ended: Told the result of each step, the ones not reached included.
        clock: Measures the steps, in seconds.
    """
    results: list[StepResult] = []
    async with AsyncExitStack() as closing:
        found = Findings(target, closing)
        for step in STEPS:
            if any(other.name in step.needs and other.status in UNSUCCESSFUL for other in results):
                result = StepResult(step.name, Status.NOT_REACHED)
            else:
                begun(step.name)
                start = clock()
                result = await _outcome(step, found)
                result = _fit_to_be_shown(replace(result, seconds=clock() - start), found)
            results.append(result)
            ended(result)
    return tuple(results)


UNSUCCESSFUL = {Status.FAILED, Status.NOT_REACHED}


async def _outcome(step: Step, found: Findings) -> StepResult:
    try:
        with warnings.catch_warnings():
            # The library's own: the step that is in charge tells them.
            warnings.simplefilter("ignore", UserWarning)
            passed = await step.run(found)
    except StepFailedError as failure:
        return StepResult(step.name, Status.FAILED, detail=failure.detail, advice=failure.advice)
    except ConfigurationError as error:
        advice = Advice("configuration", "Correct the option that is named above.")
        return StepResult(step.name, Status.FAILED, detail=spelt_for_the_shell(str(error)), advice=(advice,))
    except Exception as error:  # noqa: BLE001 - a doctor that falls over helps nobody
        advice = Advice("unexpected", "Nothing is known about this; please report it together with this output.")
        return StepResult(step.name, Status.FAILED, detail=f"{type(error).__name__}: {error}", advice=(advice,))
    status = Status.WARNING if passed.warnings else Status.PASSED
    return StepResult(step.name, status, detail=passed.detail, advice=passed.warnings)


def _fit_to_be_shown(result: StepResult, found: Findings) -> StepResult:
    # Advice is the doctor's own words, which no secret is put into; one that is a common word would tear holes in it.
    advice = tuple(
        replace(one, text=redacted(one.text), code=None if one.code is None else redacted(one.code))
        for one in result.advice
    )
    return replace(result, detail=redacted(result.detail, _secrets(found)), advice=advice)


def _secrets(found: Findings) -> Iterator[str]:
    if (secured := getattr(found, "secured", None)) is not None:
        yield str(secured.password)
    if (snapshot := getattr(found, "snapshot", None)) is not None:
        yield str(snapshot.credentials.secret_key)
        yield str(snapshot.credentials.session_token or "")
