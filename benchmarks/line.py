"""What a benchmark finds out: one line of the table."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self


@dataclass(frozen=True)
class Spread:
    """The middle of several measurements, and where four fifths of them lie.

    Attributes:
        median: The middle.
        low: A tenth of them is lower.
        high: A tenth of them is higher.
    """

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Sum up at least one measurement."""
        ordered = sorted(values)
        tenth = len(ordered) // 10
        return cls(statistics.median(ordered), ordered[tenth], ordered[-1 - tenth])


@dataclass(frozen=True)
class Target:
    """What is aimed at.

    Attributes:
        claim: What is held against the limit, in words.
        value: What was measured.
        limit: The most that it should be.
    """

    claim: str
    value: float
    limit: float

    @property
    def is_met(self) -> bool:
        """Whether it is reached."""
        return self.value <= self.limit


@dataclass(frozen=True)
class Line:
    """One thing measured, for this package and for others in the same run.

    Attributes:
        name: What is measured.
        unit: In what.
        subjects: What was measured of whom; the first is what none can beat.
        targets: What is aimed at.
        counts: What does not depend on the machine: a whole number by its name.
    """

    name: str
    unit: str
    subjects: dict[str, Spread]
    targets: list[Target] = field(default_factory=list)
    counts: dict[str, float] = field(default_factory=dict)
