"""The summary table of docs/benchmarks.md."""

from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.line import Line


class Row(NamedTuple):
    """A row of the table.

    Attributes:
        title: What a user notices.
        line: The name of the line with the figures.
        ours: The subject or count of this package.
        wrapper: The subject or count of the AWS wrapper.
        other: The subject or count of code written by hand.
        is_count: Whether the row shows counts instead of medians.
    """

    title: str
    line: str
    ours: str = "this package"
    wrapper: str | None = "AWS wrapper"
    other: str | None = "aiobotocore, one client"
    is_count: bool = False


_COLD, _IMPORTED = "100 connections at once", "this package, imports before"  # the others import everything before, too
ROWS = [
    Row(f"{_COLD}: tokens signed", "100 cold connects", "generations, this package", "generations, AWS wrapper",
        "generations, aiobotocore, one client", is_count=True),
    Row(f"{_COLD}: ms until the last", "100 cold connects", _IMPORTED),
    Row(f"{_COLD}: ms the event loop was blocked", "100 cold connects: the loop", _IMPORTED),
    Row("Each later connection: µs on top of the driver", "warm connect"),
    Row("First token of a process: ms", "cold start", other="aiobotocore client"),
    Row("First token of a process: ms the event loop was blocked", "cold start: the loop", other="aiobotocore client"),
    Row("Import: ms of processor time", "import", other="aiobotocore"),
    Row("Connections that waited for AWS in a day, one every 30 s", "a connection every 30 s for a day",
        'this package, "on_use"', None, "aiobotocore by hand"),
]  # fmt: skip


def table(lines: list[Line]) -> Iterator[str]:
    """Yield the rows of the summary in Markdown."""
    measured = {line.name: line for line in lines}
    yield "| | this package | AWS wrapper | by hand |"
    yield "| --- | ---: | ---: | ---: |"
    for row in ROWS:
        line = measured[row.line]
        values = line.counts if row.is_count else {name: spread.median for name, spread in line.subjects.items()}
        cells = ["n/a" if name is None else short(values[name]) for name in (row.ours, row.wrapper, row.other)]
        yield f"| {row.title} | {' | '.join(cells)} |"


def short(value: float) -> str:
    """Return a number with three digits, or an integer if it has three or more digits before the decimal point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits
