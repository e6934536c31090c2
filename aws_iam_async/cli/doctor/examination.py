"""The examination: runs the steps in order, skips those that would prove nothing, and redacts their results."""

import re
import time
import warnings
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import NamedTuple

from aws_iam_async.cli.connection import keywords_as_flags
from aws_iam_async.cli.doctor import steps
from aws_iam_async.cli.doctor.findings import Advice, Findings, Passed, Status, StepFailedError, StepResult, Target
from aws_iam_async.errors import ConfigurationError


class Step(NamedTuple):
    name: str
    run: Callable[[Findings], Awaitable[Passed]]
    needs: tuple[str, ...] = ()  # if one of these steps fails, this step would prove nothing; it may be left out


STEPS = (
    Step("driver", steps.check_driver),
    Step("options", steps.check_options, ("driver",)),
    Step("endpoint", steps.check_endpoint, ("options",)),
    Step("region", steps.check_region, ("endpoint",)),
    Step("credentials", steps.check_credentials, ("options",)),
    Step("secret", steps.check_secret, ("credentials",)),
    Step("identity", steps.check_identity, ("region", "credentials")),
    Step("token", steps.check_token, ("region", "credentials")),
    Step("dns", steps.check_dns, ("endpoint", "secret")),
    Step("tcp", steps.check_tcp, ("dns",)),
    Step("tls", steps.check_tls, ("tcp", "region")),
    Step("login", steps.check_login, ("token", "tls")),
    Step("server", steps.check_server, ("login",)),
    Step("query", steps.check_query, ("login",)),
)
# By plugin: the steps that its logins do not have. With a secret there is no endpoint to sign for, and no token.
LEFT_OUT = {"iam": {"secret"}, "secrets_manager": {"endpoint", "region", "identity", "token"}}

MOST_CAUSES = 3


async def examine(
    target: Target,
    *,
    on_start: Callable[[str], None] = lambda _name: None,
    on_end: Callable[[StepResult], None] = lambda _result: None,
) -> tuple[StepResult, ...]:
    """Run the steps. ``on_start`` is called for each step that runs, ``on_end`` for every step."""
    results: list[StepResult] = []
    async with AsyncExitStack() as closing:
        findings = Findings(target, closing)
        for step in (step for step in STEPS if step.name not in LEFT_OUT[target.plugin]):
            unsuccessful = {one.name for one in results if one.status in {Status.FAILED, Status.NOT_REACHED}}
            if unsuccessful.isdisjoint(step.needs):
                on_start(step.name)
                result = await _result(step, findings)
            else:
                result = StepResult(step.name, Status.NOT_REACHED)
            results.append(result)
            on_end(result)
    return tuple(results)


async def _result(step: Step, findings: Findings) -> StepResult:
    start = time.perf_counter()
    try:
        passed = await _run(step, findings)
    except StepFailedError as failure:
        status, detail, advice = Status.FAILED, failure.detail, _most_likely(failure.advice)
    else:
        status = Status.WARNING if passed.warnings else Status.PASSED
        detail, advice = passed.detail, passed.warnings
    seconds = time.perf_counter() - start
    # The advice is the doctor's own text and holds no secret. Removing a secret that is a common word would garble it.
    advice = tuple(
        replace(one, text=redacted(one.text), code=None if one.code is None else redacted(one.code)) for one in advice
    )
    return StepResult(step.name, status, redacted(detail, _secrets(findings)), advice, seconds)


def _most_likely(causes: tuple[Advice, ...]) -> tuple[Advice, ...]:
    """Return the certain causes alone if there are any, else the first few."""
    return (tuple(one for one in causes if one.certain) or causes)[:MOST_CAUSES]


async def _run(step: Step, findings: Findings) -> Passed:
    """Run a step, with every error as a StepFailedError."""
    try:
        with warnings.catch_warnings():
            # The steps report the problems behind the library's own warnings.
            warnings.simplefilter("ignore", UserWarning)
            return await step.run(findings)
    except StepFailedError:
        raise
    except ConfigurationError as error:
        advice = Advice("configuration", "Correct the option that is named above.")
        raise StepFailedError(keywords_as_flags(str(error)), advice) from error
    except Exception as error:
        advice = Advice(
            "unexpected", "The doctor does not know this error. Please report it together with this output."
        )
        raise StepFailedError(f"{type(error).__name__}: {error}", advice) from error


def _secrets(findings: Findings) -> Iterator[str]:
    if hasattr(findings, "token"):
        yield str(findings.token.value)
    if findings.target.plugin != "iam" and hasattr(findings, "request"):
        yield str(findings.request.password or "")
    if hasattr(findings, "snapshot"):
        yield str(findings.snapshot.credentials.secret_key)
        yield str(findings.snapshot.credentials.session_token or "")


# The secret parts of a presigned URL, wherever the URL comes from.
_SECRET_PARAMETER = re.compile(r"(X-Amz-(?:Signature|Security-Token)=)[^&\s\"']*", re.IGNORECASE)
_HIDDEN = "**********"


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """Return text without secrets and without control characters; line breaks stay.

    A server's error message may repeat what it was sent, or hold escape sequences for a terminal.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        if secret:
            text = text.replace(secret, _HIDDEN)
    text = _SECRET_PARAMETER.sub(rf"\g<1>{_HIDDEN}", text)
    return "".join(map(_printable, text))


def _printable(character: str) -> str:
    if character.isprintable() or character == "\n":
        return character
    return " " if character.isspace() else "\N{REPLACEMENT CHARACTER}"
