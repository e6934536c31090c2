"""The page on troubleshooting quotes this package word for word."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.docs.pages import ROOT

PAGE = ROOT / "docs/troubleshooting.md"
OURS = "| Message of this package |"
GAP = "\0"  # what is filled in, in the source


def quoted() -> list[str]:
    """The messages in the first columns of the tables of this package's own messages."""
    tables = re.split(r"\n\n+", PAGE.read_text())
    rows = [row for table in tables if table.startswith(OURS) for row in table.splitlines()[2:]]
    return [message for row in rows for message in row.split(" | ")[0].split("`")[1::2]]


def texts() -> Iterator[str]:
    """Every string in the package, in which GAP stands for values that are filled in."""
    for file in (ROOT / "aws_iam_async").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.JoinedStr):
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else GAP for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield re.sub(r"%[rs]", GAP, node.value)


TEXTS = "\n".join(texts())


def is_raised(message: str) -> bool:
    parts = [re.escape(part.strip()) for part in message.split("...") if part.strip()]
    pattern = rf"[^\n]*?{GAP}[^\n]*?".join(parts)
    return re.search(pattern, TEXTS) is not None


@pytest.mark.parametrize("message", quoted())
def test_a_quoted_message_is_one_of_the_package(message: str) -> None:
    assert is_raised(message)


def test_messages_are_quoted() -> None:
    assert len(quoted()) > 80
    assert not is_raised("a message that is not raised")
