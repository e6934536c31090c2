"""The result of a benchmark."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self


@dataclass(frozen=True)
class Spread:
    """A summary of several measurements.

    Attributes:
        median: The median.
        low: The 10th percentile.
        high: The 90th percentile.
    """

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Summarize one or more measurements."""
        ordered = sorted(values)
        tenth = len(ordered) // 10
        return cls(statistics.median(ordered), ordered[tenth], ordered[-1 - tenth])


@dataclass(frozen=True)
class Target:
    """An upper limit for a measured value.

    Attributes:
        claim: The name of the value.
        value: The measured value.
        limit: The maximum.
    """

    claim: str
    value: float
    limit: float

    @property
    def is_met(self) -> bool:
        """Whether the value is within the limit."""
        return self.value <= self.limit


@dataclass(frozen=True)
class Line:
    """The measurements of one quantity for several subjects in the same run.

    Attributes:
        name: The name of the quantity.
        unit: The unit of the measurements.
        subjects: The measurements of each subject. In most lines, the first subject is the theoretical limit.
        targets: The targets of this package.
        counts: Whole numbers that do not depend on the machine, by name.
    """

    name: str
    unit: str
    subjects: dict[str, Spread]
    targets: list[Target] = field(default_factory=list)
    counts: dict[str, float] = field(default_factory=dict)
