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


def strings(tree: ast.AST) -> Iterator[str]:
    """Every string in some code, in which GAP stands for values that are filled in."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else GAP for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.sub(r"%[rs]", GAP, node.value)


FILES = sorted((ROOT / "aws_iam_async").rglob("*.py"))
TEXTS = "\n".join(text for file in FILES for text in strings(ast.parse(file.read_text())))


def is_in(message: str, text: str, between: str) -> bool:
    parts = [re.escape(part.strip()) for part in message.split("...") if part.strip()]
    return re.search(between.join(parts), text) is not None


def is_raised(message: str) -> bool:
    return is_in(message, TEXTS, rf"[^\n]*?{GAP}[^\n]*?")


@pytest.mark.parametrize("message", quoted())
def test_a_quoted_message_is_one_of_the_package(message: str) -> None:
    assert is_raised(message)


# These reach users as the cause or the tail of a message on the page, or are handled by the package or SQLAlchemy.
NOT_ON_THE_PAGE = {
    "a hash as of MySQL 4.0",
    "a second method after mysql_clear_password",
    "a token is not hashed",
    "the server of the connection has changed",
    "pip install --upgrade aiobotocore",
    f"{GAP} was cancelled from within",
}
FEWEST_WORDS = 4  # shorter ones are mostly names and values
COMMANDS_AND_EMULATOR = {"cli", "testing"}  # these have few messages on the page


def raised() -> Iterator[str]:
    """All strings of each ``raise`` in the library, one line for each string."""
    for file in FILES:
        if file.relative_to(ROOT / "aws_iam_async").parts[0] not in COMMANDS_AND_EMULATOR:
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Raise) and node.exc is not None and (found := "\n".join(strings(node.exc))):
                    yield found


def is_quoted(raised_text: str) -> bool:
    return any(is_in(message, raised_text, "[^\n]*?") for message in quoted() if len(message) > 12)


def test_each_message_of_the_library_is_quoted() -> None:
    missing = {max(text.split("\n"), key=len) for text in raised() if not is_quoted(text)}
    assert {text for text in missing if len(re.findall(r"[A-Za-z]+", text)) >= FEWEST_WORDS} == NOT_ON_THE_PAGE


def test_messages_are_quoted() -> None:
    assert len(quoted()) > 80
    assert not is_raised("a message that is not raised")
