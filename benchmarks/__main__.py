"""Run all benchmarks, print the tables, and write them into the docs: ``make bench``.

``make bench LINES="warm_connect signature"`` runs some benchmarks and writes nothing.
"""

import argparse
import dataclasses
import importlib
import json
import os
import platform
from collections.abc import Iterator
from pathlib import Path

from benchmarks import bars, summary
from benchmarks.line import Line
from benchmarks.summary import short

LINES = (
    "warm_connect",
    "signature",
    "dsql_token",
    "cold_storm",
    "cold_secrets",
    "cold_start",
    "imports",
    "tls_connect",
    "pool_fill",
    "hand_over",
    "role",
    "failover",
    "refresh_stalls",
    "memory",
)
DOCS = Path(__file__).parent.parent / "docs"
RESULTS = DOCS / "benchmarks.json"
PLOT = DOCS / "benchmarks.svg"
SUMMARY, PAGE = DOCS / "benchmarks.md", DOCS / "benchmarks-figures.md"
MARK, END = "<!-- `make bench` writes what follows. -->\n", "<!-- The end of that. -->\n"


def main() -> None:
    """Run the benchmarks of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("lines", nargs="*", metavar="LINE", help=f"default: all of {', '.join(LINES)}")
    names = parser.parse_args().lines
    if unknown := set(names) - set(LINES):
        parser.error(f"unknown {', '.join(sorted(unknown))}; available: {', '.join(LINES)}")
    measured: list[Line] = []
    for name in names or LINES:
        lines: list[Line] = importlib.import_module(f"benchmarks.{name}").measure()
        print("\n".join(table(lines)), flush=True)
        measured += lines
    if not names:
        write(measured)


def table(lines: list[Line]) -> Iterator[str]:
    """Yield the rows of a Markdown table for each line: one row for each subject, then the counts and targets."""
    for line in lines:
        yield f"\n**{line.name}**, {line.unit}\n"
        yield "| | median | 10 % | 90 % |"
        yield "| --- | ---: | ---: | ---: |"
        for subject, spread in line.subjects.items():
            yield f"| {subject} | {short(spread.median)} | {short(spread.low)} | {short(spread.high)} |"
        if line.targets or line.counts:
            yield ""
        for claim, count in line.counts.items():
            yield f"- {claim}: {count:,.0f}"
        for target in line.targets:
            verdict = "met" if target.is_met else "missed"
            yield f"- {target.claim}: {target.value:.3g}, target at most {target.limit:g}: {verdict}"


def write(lines: list[Line]) -> None:
    """Write the figures and their chart into the docs."""
    processors, load = os.cpu_count() or 1, os.getloadavg()[1]
    run = {"python": platform.python_version(), "machine": platform.machine(), "processors": processors, "load": load}
    figures = {"run": run, "lines": [dataclasses.asdict(line) for line in lines]}
    RESULTS.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    PLOT.write_text(bars.draw(lines), encoding="utf-8")
    machine = f"CPython {run['python']}, {run['machine']}, {processors} processors; load average {load:.0f}.\n"
    if load > processors:
        machine += (
            "\n**The load was higher than the number of processors, so all wall-clock times here are far too long.**\n"
        )
    _replace(SUMMARY, ["", *summary.table(lines), "", f"Measured on {machine}"])
    _replace(PAGE, ["", machine, *table(lines), ""])


def _replace(page: Path, rows: list[str]) -> None:
    before, mark, rest = page.read_text(encoding="utf-8").partition(MARK)
    _, end, after = rest.partition(END)
    page.write_text(before + mark + "\n".join([*rows, ""]) + end + after, encoding="utf-8")


if __name__ == "__main__":
    main()
