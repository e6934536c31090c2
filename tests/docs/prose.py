"""Looks for prose that is not plain technical English, in Python files, scripts and pages."""

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

MOST_WORDS = 30  # in a sentence
FEWEST_WORDS = 4  # of a string literal that is prose

# What is looked for in a sentence, and what to write instead. Code is one word there: CODE.
PATTERNS = [
    (r"\bwhoever\b", "name the caller, the server, the component"),
    (r"\bnobody('s)?\b", "name what does not happen"),
    (r"\bsomebody('s)?\b", "name the caller, the task, the application"),
    (r"\bmeanwhile\b", "say during what"),
    (r"\bmoreover\b", "leave it out, or 'also'"),
    (r"\banew\b", "again"),
    (r"\bbeside\b", "next to, with, or besides"),
    (r"\bmend(s|ed|ing)?\b", "fix, repair"),
    (r"\bat hand\b", "cached, available"),
    (r"\b(stand|stands|stood|standing) in\b", "is in, replaces"),
    (r"\bsome (two|three|four|five|six|seven|eight|nine|ten|twenty|fifty|hundred|thousand|\d+)\b", "about 10"),
    (r"\b(a|each|every|another) connect\b(?! (timeout|call|attempt))", "a connection attempt"),
    (r"\ba text\b(?! (file|editor|field|column))", "a string, a message"),
    (r"\btold\b", "the active voice: who tells whom, or shown, passed"),
    (r"\basked for\b", "requested, needed"),
    (r"\bwhose\b", "say it with 'of' or 'with'"),
    (r"(^|[.!;:,(\u2013\u2014] ?)who\b(?!.*\?$)", "begin with the noun: the caller, the user"),
    (r"\b(and|or|but|by|for|of|than|that|if|is|to|from|with|when) who\b(?!.*\?$)", "a noun before 'who'"),
    (r"\b(those|all|each|he|she|they|(any|every|some)(one|body)) who\b", "a noun before 'who'"),
    (r"\bone (may|can|must|should|might|would|could)\b", "you"),
]  # fmt: skip

_PATTERNS = [(re.compile(pattern, re.IGNORECASE), advice) for pattern, advice in PATTERNS]
_SECTION = re.compile(
    r"^(Args|Arguments|Attributes|Raises|Returns|Yields|Examples?|Notes?|Warnings?|Keyword Args|See Also):$"
)
_ITEM = re.compile(r"^(\*{0,2}[\w.]+(?:, [\w.]+)*)(?: \([^)]*\))?: +")
_BULLET = re.compile(r"^(?:[-*+]|\d+[.)]) +")
_ROW = re.compile(r"^\|.*\|$")
_CELLS = re.compile(r"(?<!\\)\|")
_DRAWING = re.compile(r"[│├└─▼▲┌┐┘┬►]|^\||\|$|^ *(\+[-=]+)+\+|^[-=~^]{4,}$|^:::|^!\[|^</?\w|^<!--|^>>>|^\.\.\. ")
_FENCE = re.compile(r"^(```|~~~)")
_CODE = re.compile(r"(``.+?``|`[^`]+`)", re.DOTALL)
_ROLE = re.compile(r":\w+:(?=`)")
_URL = re.compile(r"\b(?:https?|postgresql|mysql)(?:\+\w+)?://\S*[^\s.,;:!?)\]}\"']")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_ABBREVIATION = re.compile(r"\b(e\.g|i\.e|etc|vs|cf|approx|incl|No)\.(?= )")
_END = re.compile(r"(?<=[.!?])[\"')\]]* +(?=[\"'(\[]*[A-Z0-9])")
_BEFORE, _AFTER = re.compile(r"(\S+ +){0,3}\S*$"), re.compile(r"\S*( +\S+){0,3}")
_WORD = re.compile(r"[^\W_][\w'\u2019./+-]*")


class Unit(NamedTuple):
    """A paragraph, a bullet, an item of a list or a cell of a table, on one line."""

    line: int
    text: str


# Regular expressions, shell scripts and style sheets are no prose.
_PROGRAM = re.compile(r"\(\?|\$\w|\{ [\w-]+: ")
_COMMENT_LINE = re.compile(r"^\s*@?#(?!!) ?")


class Fault(NamedTuple):
    """Words that are not as they should be."""

    file: str
    line: int
    words: str
    advice: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.words}  ({self.advice})"


def faults_of_sentence(sentence: str) -> Iterator[tuple[str, str]]:
    """Each as the words found, and the advice."""
    for pattern, advice in _PATTERNS:
        for found in pattern.finditer(sentence):
            before, after = _BEFORE.search(sentence[: found.start()]), _AFTER.match(sentence[found.end() :])
            yield f"{before[0] if before else ''}{found[0]}{after[0] if after else ''}", advice
    words = len(_WORD.findall(sentence))
    if words > MOST_WORDS:
        yield f"{' '.join(sentence.split()[:6])} ...", f"{words} words in a sentence; at most {MOST_WORDS}"


def sentences(text: str) -> list[str]:
    """The sentences of a paragraph; each piece of code, and each address, is one word in them."""
    text = _CODE.sub("CODE", _ROLE.sub("", _URL.sub("URL", _LINK.sub(r"\1", text))))
    text = _ABBREVIATION.sub(r"\1", text.replace("**", ""))
    return [sentence for sentence in _END.split(text) if sentence]


def units(text: str, first_line: int = 1) -> list[Unit]:
    """Return the paragraphs, bullets and items of sections in Google's style, without code."""
    found: list[Unit] = []
    open_unit = False
    fence = False
    example: int | None = None  # how far the heading of an example is indented, which is code
    block: int | None = None  # the same of the line before a block of code

    for number, raw in enumerate(text.expandtabs().splitlines(), first_line):
        line, indent = raw.strip(), len(raw) - len(raw.lstrip())
        if _FENCE.match(line):
            fence, open_unit = not fence, False
            continue
        if _ROW.match(line) and not fence:
            found += [Unit(number, cell.strip()) for cell in _CELLS.split(line) if _WORD.search(cell)]
        if not line or fence or _DRAWING.search(line):
            open_unit = False
            continue
        example = None if example is not None and indent <= example else example
        block = None if block is not None and indent <= block else block
        if example is not None or block is not None:
            continue
        if section := _SECTION.match(line):
            open_unit = False
            example = indent if section[1].startswith("Example") else None
            continue
        heading = line.startswith("#")
        begins = _BULLET.match(line) or _ITEM.match(line)
        line = _ITEM.sub("", _BULLET.sub("", line.lstrip("#> ")), count=1)
        if open_unit and not begins and not heading:
            found[-1] = Unit(found[-1].line, f"{found[-1].text} {line}")
        else:
            found.append(Unit(number, line))
        open_unit = not heading
        if line.endswith("::"):
            block, open_unit = indent, False
    return found


def docstrings(tree: ast.AST) -> Iterator[ast.Constant]:
    """Those of modules, classes and functions, and texts that stand alone below what they explain."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value


def literals(tree: ast.AST, but: set[int]) -> Iterator[tuple[int, str]]:
    """Other texts with their lines; what is filled into one is CODE."""
    parts = set(but)
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts |= {id(part) for part in ast.walk(node)}
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "CODE" for part in node.values)
            yield node.lineno, text
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.lineno, node.value


def comments(source: str) -> Iterator[Unit]:
    """Comments that follow one another are one text."""
    text: list[str] = []
    first = last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        line = token.start[0]
        own_line = not token.line[: token.start[1]].strip()
        word = re.sub(r"#!?|\b(noqa|type: ignore|fmt|pragma|ty|mypy|pyright)\b[^#]*?( - |  # |$)", "", token.string)
        if text and not (own_line and line == last + 1):
            yield Unit(first, "\n".join(text))
            text = []
        if not text:
            first = line
        text.append(word)
        last = line
    if text:
        yield Unit(first, "\n".join(text))


def texts_of_python(source: str, *, with_literals: bool = True) -> Iterator[Unit]:
    """The docstrings and comments of a Python file, and its string literals that are prose."""
    tree = ast.parse(source)
    found = list(docstrings(tree))
    for node in found:
        yield from units(str(node.value), node.lineno)
    for line, text in literals(tree, {id(node) for node in found}) if with_literals else ():
        if len(_WORD.findall(text)) >= FEWEST_WORDS and " " in text.strip() and not _PROGRAM.search(text):
            yield from (Unit(line, unit.text) for unit in units(text))
    for comment in comments(source):
        yield from units(comment.text, comment.line)


def texts_of_script(source: str) -> Iterator[Unit]:
    """The comments of a shell script or a makefile."""
    text: list[str] = []
    for number, line in enumerate([*source.splitlines(), ""], 1):
        if begin := _COMMENT_LINE.match(line):
            text.append(line[begin.end() :])
        elif text:
            yield from units("\n".join(text), number - len(text))
            text = []


def texts_of_file(path: Path, root: Path) -> Iterable[Unit]:
    """All prose of a Python file, a shell script, a makefile or a page in Markdown.

    String literals of tests are left out, because they are mostly data and programs.
    """
    source = path.read_text(encoding="utf-8")
    if path.suffix in {".py", ".pyi"}:
        return texts_of_python(source, with_literals=path.relative_to(root).parts[0] != "tests")
    return texts_of_script(source) if path.suffix == ".sh" or path.name == "Makefile" else units(source)


def faults_of_file(path: Path, root: Path) -> Iterator[Fault]:
    """Those of all prose of a file."""
    for unit in texts_of_file(path, root):
        for sentence in sentences(unit.text):
            for words, advice in faults_of_sentence(sentence):
                yield Fault(path.relative_to(root).as_posix(), unit.line, words, advice)
