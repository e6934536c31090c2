"""The pages that users read, and the code blocks in them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tools.options_table import on_page_markdown

ROOT = Path(__file__).parents[2]
SITE = tuple(sorted((ROOT / "docs").rglob("*.md")))
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *SITE)

_FENCE = re.compile(r"(?P<indent> *)(?P<mark>`{3,}|~{3,})(?P<info>.*)")
_FILE = re.compile(r"(?:#|//) ((?:[\w-]+/)*[\w-]+\.\w+)\n")


class Block(NamedTuple):
    """A fenced block of a page.

    Attributes:
        page: The page's path from the root of the repository.
        line: Where it begins there, the first line being 1.
        language: The word behind the fence; empty if there is none.
        text: The code in it, without the indentation of its fence.
    """

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def file(self) -> str | None:
        """The name of the file that it shows, from the comment in its first line."""
        found = _FILE.match(self.text)
        return found and found[1]

    @property
    def is_of_a_recipe(self) -> bool:
        """Whether it is a file of a recipe in the cookbook. `test_cookbook.py` runs those."""
        return self.page.startswith("docs/cookbook/") and self.file is not None


def blocks(page: Path) -> Iterator[Block]:
    """Find every fenced block of a page.

    Raises:
        ValueError: A fence is never closed.
    """
    opened: tuple[int, re.Match[str]] | None = None
    lines: list[str] = []
    for number, line in enumerate(page.read_text().splitlines(), start=1):
        fence = _FENCE.fullmatch(line)
        if opened is None:
            if fence is not None:
                opened, lines = (number, fence), []
            continue
        begin, opening = opened
        if fence is None or fence["mark"] != opening["mark"]:
            lines.append(line.removeprefix(opening["indent"]))
            continue
        name = str(page.relative_to(ROOT))
        yield Block(name, begin, opening["info"].strip(), "".join(f"{text}\n" for text in lines))
        opened = None
    if opened is not None:
        raise ValueError(f"{page.name}:{opened[0]}: the code block is never closed")


def blocks_in(language: str) -> list[Block]:
    """Return the blocks of all pages in one language."""
    return [block for page in PAGES for block in blocks(page) if block.language == language]


def write_file(block: Block, folder: Path) -> None:
    """Write the file that a block shows."""
    assert block.file is not None
    file = folder / block.file
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(block.text)


def table(page: str, heading: str) -> list[list[str]]:
    """Return the rows of the first table below a heading of a page on the site, without its head.

    Raises:
        ValueError: There is no such heading.
    """
    text = on_page_markdown((ROOT / page).read_text())
    _, found, below = text.partition(f"\n{heading}\n")
    if not found:
        raise ValueError(f"{page} has no {heading!r}")
    rows = re.search(r"(?:^\|.*\|$\n?)+", below, re.MULTILINE)
    assert rows is not None, f"no table below {heading!r} of {page}"
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows[0].splitlines()[2:]]
