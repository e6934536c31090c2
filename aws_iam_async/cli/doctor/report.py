"""The report: for people step by step, in a terminal or log of any width; for programs as one JSON document."""

import asyncio
import contextlib
import io
import json
import platform
import ssl
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.text import Text

import aws_iam_async
from aws_iam_async.cli.doctor.examination import examine
from aws_iam_async.cli.doctor.findings import Advice, Status, StepResult, Target

if TYPE_CHECKING:
    from rich.status import Status as Spinner

MARKS = {Status.PASSED: "✓", Status.WARNING: "!", Status.FAILED: "✗"}
ASCII_MARKS = {Status.PASSED: "+", Status.WARNING: "!", Status.FAILED: "x"}
STYLES = {Status.PASSED: "green", Status.WARNING: "yellow", Status.FAILED: "bold red"}

NAME_WIDTH = 11
SECONDS_WIDTH = 8
# In fewer columns than this, the details get lines of their own.
NARROW = 60


def print_report(dsn: str, options: Mapping[str, Any], *, timeout: float, asks_sts: bool, as_json: bool) -> bool:
    """Examine a login, print the report, and return whether the login works."""
    target = Target(dsn=dsn, options=options, timeout=timeout, asks_sts=asks_sts)
    if as_json:
        results = asyncio.run(examine(target))
        click.echo(json.dumps(json_document(results), indent=2))
    else:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        with contextlib.closing(TerminalReport(Console())) as report:
            results = asyncio.run(examine(target, on_start=report.start_step, on_end=report.end_step))
            report.print_advice(results)
    return _works(results)


def json_document(results: Sequence[StepResult]) -> dict[str, Any]:
    causes = [advice.cause for result in results if result.status is Status.FAILED for advice in result.advice]
    return {
        "ok": _works(results),
        "cause": causes[0] if causes else None,
        "versions": {
            "aws_iam_async": aws_iam_async.__version__,
            "python": platform.python_version(),
            "openssl": ssl.OPENSSL_VERSION,
        },
        "steps": [
            {
                "name": result.name,
                "status": result.status,
                "seconds": None if result.seconds is None else round(result.seconds, 3),
                "detail": result.detail,
                "advice": [{"cause": one.cause, "text": one.text, "code": one.code} for one in result.advice],
            }
            for result in results
        ],
    }


def _works(results: Sequence[StepResult]) -> bool:
    return not any(result.status is Status.FAILED for result in results)


class TerminalReport:
    """Prints a line for each step that ends, then the advice."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._marks = ASCII_MARKS if console.options.ascii_only else MARKS
        self._spinner: Spinner | None = None

    def close(self) -> None:
        """Remove the name of a step that is still running."""
        if self._spinner is not None:
            self._spinner.stop()
            self._spinner = None

    def start_step(self, name: str) -> None:
        """Show on a terminal which step is running."""
        if self._console.is_terminal:
            self._spinner = self._console.status(Text(name))
            self._spinner.start()

    def end_step(self, result: StepResult) -> None:
        """Print the line of a step that was reached."""
        self.close()
        if result.seconds is None:
            return
        seconds = f"{result.seconds:.2f} s"
        head = Text.assemble(
            (self._marks[result.status], STYLES[result.status]),
            f" {result.name:<{NAME_WIDTH}}",
            (f"{seconds:>{SECONDS_WIDTH}}", "dim"),
        )
        detail = Text(result.detail)
        if self._console.width < NARROW:
            self._print(head)
            self._print_paragraph(detail, indent=2)
        else:
            self._print_paragraph(detail, indent=len(head) + 2, head=head)

    def print_advice(self, results: Sequence[StepResult]) -> None:
        """Print the steps that were skipped, the advice of all steps, and the verdict in one line."""
        failed = [result for result in results if result.status is Status.FAILED]
        not_reached = [result.name for result in results if result.status is Status.NOT_REACHED]
        # If all steps after the first failure were skipped, that is plain to see.
        if not_reached != [result.name for result in results[len(results) - len(not_reached) :]]:
            self._print_paragraph(Text(f"not reached: {', '.join(not_reached)}", "dim"))
        verdict = Text("The login works.", STYLES[Status.PASSED])
        if failed:
            likely = "".join(f" Most likely: {advice.summary}" for advice in failed[0].advice[:1])
            names = ", ".join(result.name for result in failed)
            verdict = Text(f"Failed: {names}.{likely}", STYLES[Status.FAILED])
        # A warning that is also the cause of a failure is shown only there.
        causes_of_failure = {advice for result in failed for advice in result.advice}
        for result in results:
            causes = result.advice
            if result not in failed:
                causes = tuple(one for one in causes if one not in causes_of_failure)
            # An advice that is wholly in the verdict is not repeated.
            elif len(causes) == 1 and causes[0].code is None and causes[0].text in verdict.plain:
                continue
            if causes:
                self._print_causes(result, causes)
        self._print()
        self._print(verdict)

    def _print_causes(self, result: StepResult, causes: Sequence[Advice]) -> None:
        failed, several = result.status is Status.FAILED, len(causes) > 1
        heading = f"{result.name} {'failed' if failed else 'warns'}"
        if failed and several:
            heading += ". Likely causes, most likely first"
        self._print()
        self._print_paragraph(Text(f"{heading}:", STYLES[result.status]))
        for number, advice in enumerate(causes, start=1):
            self._print_paragraph(Text(f"{number}. {advice.cause}" if several else advice.cause, "bold"), indent=2)
            self._print_paragraph(Text(advice.text), indent=4)
            for line in (advice.code or "").splitlines():
                # Not wrapped, so that it can be copied.
                self._print(Text(f"      {line}", "cyan"))

    def _print_paragraph(self, text: Text, *, indent: int = 0, head: Text | None = None) -> None:
        """Print wrapped lines, the first one behind ``head``, without the trailing blanks that rich would add."""
        width = max(self._console.width - indent, 1)
        for number, line in enumerate(text.wrap(self._console, width, overflow="fold")):
            line.rstrip()
            margin = Text(" " * indent)
            if head is not None and number == 0:
                margin = head.copy()
                margin.pad_right(indent - len(head))
            self._print(margin.append_text(line))

    def _print(self, line: Text | str = "") -> None:
        self._console.print(line, soft_wrap=True, highlight=False, markup=False)
