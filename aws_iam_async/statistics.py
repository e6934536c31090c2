"""What a manager counts."""

import dataclasses
from typing import Self

from aws_iam_async.tokens.statistics import TokenStatistics

__all__ = ["Attempts", "Statistics"]


class Attempts:
    """Counts how connects end. A cancelled one is neither a success nor a failure."""

    __slots__ = ("connects", "failures")

    def __init__(self) -> None:
        self.connects: int = 0
        self.failures: int = 0

    def ended(self, error: type[BaseException] | None) -> None:
        """Count one that has ended.

        Args:
            error: What it ended with; ``None`` if it made a connection.
        """
        if error is None:
            self.connects += 1
        elif issubclass(error, Exception):
            self.failures += 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Statistics(TokenStatistics):
    """What a manager did so far, in all event loops.

    Attributes:
        connects: Physical connections that were made.
        failures: Attempts whose error reached the caller or the driver's pool.
    """

    connects: int
    failures: int

    @classmethod
    def of(cls, attempts: Attempts, tokens: TokenStatistics) -> Self:
        """Put both together.

        Args:
            attempts: How connects ended.
            tokens: What became of the tokens for them.
        """
        values = {field.name: getattr(tokens, field.name) for field in dataclasses.fields(TokenStatistics)}
        return cls(connects=attempts.connects, failures=attempts.failures, **values)
