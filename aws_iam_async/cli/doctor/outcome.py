"""What comes out of a step."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Advice", "Passed", "Status", "StepFailedError", "StepResult"]


class Status(StrEnum):
    """How a step ended."""

    PASSED = "passed"
    WARNING = "warning"
    """It does not stand in the way, but somebody should know of it."""
    FAILED = "failed"
    NOT_REACHED = "not-reached"
    """A step that it needs has failed, so it would prove nothing."""


@dataclass(frozen=True)
class Advice:
    """A likely cause and what to do about it.

    Attributes:
        cause: Its name for programs, such as ``clock-skew``.
        text: What it is and what to do, in a sentence or two.
        code: The SQL, policy or command that does it, to be copied as it is.
    """

    cause: str
    text: str
    code: str | None = None


@dataclass(frozen=True)
class Passed:
    """What a step returns that did not fail.

    Attributes:
        detail: What was found, in one line.
        warnings: What somebody should know of, though it does not stand in the way.
    """

    detail: str
    warnings: tuple[Advice, ...] = ()


class StepFailedError(Exception):
    """A step failed.

    Args:
        detail: What happened, in one line.
        advice: The likely causes, the likeliest first.
    """

    def __init__(self, detail: str, *advice: Advice) -> None:
        super().__init__(detail)
        self.detail = detail
        self.advice = advice


@dataclass(frozen=True)
class StepResult:
    """One line of the report.

    Attributes:
        name: The step.
        status: How it ended.
        seconds: How long it took; ``None`` if it was not reached.
        detail: What was found, or what happened.
        advice: The likely causes of a failure, the likeliest first; or warnings.
    """

    name: str
    status: Status
    seconds: float | None = None
    detail: str = ""
    advice: tuple[Advice, ...] = ()
