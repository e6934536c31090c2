"""One attempt to connect: counted by how it ends, and whatever it made is closed if nobody gets it."""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from aws_iam_async.errors import AwsIamError
from aws_iam_async.statistics import Attempts

__all__ = ["Attempt", "nothing_returned"]


class Attempt:
    """Owns the connections made within it until it ends well.

    A plugin may have got one from the rest of the chain and be cancelled, timed out or wrong afterwards, so that nobody
    would have it any more.

    Args:
        counters: Where its end is counted.
        close: Closes a connection at once, without waiting; one that is closed already, too.
    """

    __slots__ = ("_close", "_counters", "_made")

    def __init__(self, counters: Attempts, close: Callable[[Any], None]) -> None:
        self._counters = counters
        self._close = close
        self._made: list[Any] = []

    def made(self, connection: Any) -> None:
        """Take a connection that the driver has just made."""
        self._made.append(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._counters.ended(exc_type)
        if exc_type is not None:
            for connection in self._made:
                self._close(connection)


def nothing_returned() -> AwsIamError:
    """The error for a chain of plugins that gave ``None`` for a connection."""
    return AwsIamError("a plugin's connect() returned nothing; it must return what call_next() gave")
