"""The report for people, step by step as they happen; for a terminal or a plain log of any width."""

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.text import Text

from aws_iam_async.cli.doctor.outcome import Advice, Status, StepResult

if TYPE_CHECKING:
    from rich.status import Status as Spinner

__all__ = ["TerminalReport"]

MARKS = {Status.PASSED: "✓", Status.WARNING: "!", Status.FAILED: "✗", Status.NOT_REACHED: "·"}
ASCII_MARKS = {Status.PASSED: "+", Status.WARNING: "!", Status.FAILED: "x", Status.NOT_REACHED: "."}
STYLES = {Status.PASSED: "green", Status.WARNING: "yellow", Status.FAILED: "bold red", Status.NOT_REACHED: "dim"}

NAME_WIDTH = 11
SECONDS_WIDTH = 8
# In fewer columns than this the details stand on lines of their own.
NARROW = 60


class TerminalReport:
    """Prints a line for each step that ends, and at the end what to do.

    Args:
        console: Where to.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._marks = ASCII_MARKS if console.options.ascii_only else MARKS
        self._spinner: Spinner | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop_spinner()

    def begun(self, name: str) -> None:
        """Show on a terminal what is being waited for."""
        if self._console.is_terminal:
            self._spinner = self._console.status(Text(name))
            self._spinner.start()

    def ended(self, result: StepResult) -> None:
        """Print the line of a step."""
        self._stop_spinner()
        reached = result.seconds is not None
        seconds = f"{result.seconds:.2f} s" if reached else "-"
        head = Text.assemble(
            (self._marks[result.status], STYLES[result.status]),
            f" {result.name:<{NAME_WIDTH}}",
            (f"{seconds:>{SECONDS_WIDTH}}", "dim"),
        )
        detail = Text(result.detail if reached else "not reached", "" if reached else "dim")
        if self._console.width < NARROW:
            self._print(head)
            self._print_paragraph(detail, indent=2)
        else:
            self._print_paragraph(detail, indent=len(head) + 2, head=head)

    def finish(self, results: Sequence[StepResult]) -> None:
        """Print what to do, and how it went in one line."""
        # What a step warned of and another one failed of is said there.
        told = {advice for result in results if result.status is Status.FAILED for advice in result.advice}
        for result in results:
            fails = result.status is Status.FAILED
            if advice := [one for one in result.advice if fails or one not in told]:
                self._advise(result, advice)
        self._print()
        failed = [result.name for result in results if result.status is Status.FAILED]
        if failed:
            self._print(Text(f"Failed: {', '.join(failed)}.", STYLES[Status.FAILED]))
        else:
            self._print(Text("The login works.", STYLES[Status.PASSED]))

    def _advise(self, result: StepResult, causes: Sequence[Advice]) -> None:
        failed, several = result.status is Status.FAILED, len(causes) > 1
        heading = f"{result.name} {'failed' if failed else 'warns'}"
        if failed and several:
            heading += "; the likely causes, the likeliest first"
        self._print()
        self._print_paragraph(Text(f"{heading}:", STYLES[result.status]))
        for number, advice in enumerate(causes, start=1):
            self._print_advice(f"{number}. " if several else "", advice)

    def _print_advice(self, number: str, advice: Advice) -> None:
        self._print_paragraph(Text(f"{number}{advice.cause}", "bold"), indent=2)
        self._print_paragraph(Text(advice.text), indent=4)
        for line in (advice.code or "").splitlines():
            # To be copied: not broken, however narrow it is here.
            self._print(Text(f"      {line}", "cyan"))

    def _print_paragraph(self, text: Text, *, indent: int = 0, head: Text | None = None) -> None:
        """Print wrapped lines, the first one behind ``head``; without the blanks to the right that rich would add."""
        width = max(self._console.width - indent, 1)
        for number, line in enumerate(text.wrap(self._console, width, overflow="fold")):
            line.rstrip()
            before = Text(" " * indent)
            if head is not None and number == 0:
                before = head.copy()
                before.pad_right(indent - len(head))
            self._print(before.append_text(line))

    def _print(self, line: Text | str = "") -> None:
        self._console.print(line, soft_wrap=True, highlight=False, markup=False)

    def _stop_spinner(self) -> None:
        if self._spinner is not None:
            self._spinner.stop()
            self._spinner = None
