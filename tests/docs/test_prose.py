"""What people read is plain technical English: short sentences, the trade's words, and a noun as their subject."""

from collections import Counter
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.docs.prose import (
    Fault,
    faults_of_file,
    faults_of_sentence,
    sentences,
    texts_of_python,
    texts_of_script,
    units,
)

# Patterns below the root.
PATHS = [
    "aws_iam_async/**/*.py",
    "aws_iam_async/**/*.pyi",
    "examples/**/*.py",
    "benchmarks/*.py",
    "tools/*.py",
    "tools/*.sh",
    "noxfile.py",
    "Makefile",
    "tests/**/*.py",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs/**/*.md",
]
MOST_SHOWN = 40


def report(faults: list[Fault]) -> str:
    advice = Counter(fault.advice if "words in a sentence" not in fault.advice else "long" for fault in faults)
    shown = [str(fault) for fault in faults[:MOST_SHOWN]]
    rest = [f"... and {len(faults) - MOST_SHOWN} more"] if len(faults) > MOST_SHOWN else []
    return "\n".join([f"{len(faults)} faults: {dict(advice.most_common())}", *shown, *rest])


@pytest.mark.parametrize("pattern", PATHS)
def test_what_is_written_is_plain_english(pattern: str) -> None:
    files = sorted(ROOT.glob(pattern))
    assert files
    faults = [fault for path in files for fault in faults_of_file(path, ROOT)]
    assert not faults, report(faults)


LONG = " ".join(["word"] * 31) + "."


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("Whoever asks gets one.", "Whoever"),
        ("Nobody waits then.", "Nobody"),
        ("It is somebody's own.", "somebody's"),
        ("They are read anew.", "anew"),
        ("It lies beside the package.", "beside"),
        ("The command that mends it.", "mends"),
        ("Credentials are at hand.", "at hand"),
        ("The option stands in the DSN.", "stands in"),
        ("It takes some ten seconds.", "some ten"),
        ("A connect takes 3 ms.", "A connect"),
        ("It must be a text.", "a text"),
        ("The server is told which one.", "told"),
        ("It is asked for once.", "asked for"),
        ("A driver whose pool is closed.", "whose"),
        ("Who waits gets a token.", "Who"),
        ("Given to the first, who waits.", ", who"),
        ("It is up to who asks.", "to who"),
        ("The error of those who wait.", "those who"),
        ("Everyone who waits gets a copy.", "Everyone who"),
        ("One may pass a session.", "One may"),
        (LONG, "word"),
    ],
)
def test_what_is_found(sentence: str, words: str) -> None:
    (found,) = faults_of_sentence(sentence)
    assert words in found[0]
    assert found[1]


@pytest.mark.parametrize(
    "sentence",
    [
        "If the host is a tunnel, pass CODE.",
        "Sign synchronously if credentials are cached, else return None.",
        "The user who connects needs a policy.",
        "Who may connect?",
        "Besides, a stand-in for the server is there, and the connect timeout bounds it.",
        "A text file holds them; the handler for each connect call is new.",
        "The bold user amended one of them.",
        " ".join(["word"] * 30) + ".",
    ],
)
def test_what_is_left_alone(sentence: str) -> None:
    assert list(faults_of_sentence(sentence)) == []


def test_a_paragraph_is_taken_apart_at_the_ends_of_its_sentences() -> None:
    paragraph = (
        'Use ``a.b. C``, e.g. in a pool (see https://x.example/A.B). "Next" is 3.5 s. 2 are left! (So it is.) Why?'
    )
    assert sentences(paragraph) == [
        "Use CODE, e.g in a pool (see URL).",
        '"Next" is 3.5 s.',
        "2 are left!",
        "(So it is.",
        "Why?",
    ]


def test_units_of_a_docstring() -> None:
    text = """Short.

    A paragraph
    of two lines:

    - first bullet
      goes on
    - second bullet

    | a | table |
    | --- | --- |
    Example:
        code = somebody
    Args:
        one: The first, on
            two lines.
        *others: The rest.
        kind (str): Its kind.

    Returns:
        A connection.

    Like this::

        code = nobody

    The end.
    ```python
    nobody
    ```
    """
    assert [unit.text for unit in units(text)] == [
        "Short.",
        "A paragraph of two lines:",
        "first bullet goes on",
        "second bullet",
        "a",
        "table",
        "The first, on two lines.",
        "The rest.",
        "Its kind.",
        "A connection.",
        "Like this::",
        "The end.",
    ]


def test_texts_of_a_python_file(tmp_path: Path) -> None:
    source = '''"""A docstring."""
# A comment of
# two lines.
LIMIT = 5  # noqa: X100 - seconds, for nobody
"""What stands below an attribute."""
def f(name):
    raise ValueError(
        f"unknown plugin {name!r};"
        " somebody made it up"
    )
KEY = "nobody"
STYLE = "text { fill: red } .nobody { stroke: red } .somebody { stroke: blue }"
'''
    assert [*texts_of_python(source)] == [
        (1, "A docstring."),
        (5, "What stands below an attribute."),
        (8, "unknown plugin CODE; somebody made it up"),
        (2, "A comment of two lines."),
        (4, "seconds, for nobody"),
    ]
    file = tmp_path / "x.py"
    file.write_text(source)
    lines = [(fault.file, fault.line) for fault in faults_of_file(file, tmp_path)]
    assert lines == [("x.py", 8), ("x.py", 4)]
    test = tmp_path / "tests" / "test_x.py"
    test.parent.mkdir()
    test.write_text(source)
    assert [(fault.file, fault.line) for fault in faults_of_file(test, tmp_path)] == [("tests/test_x.py", 4)]
    assert report([*faults_of_file(file, tmp_path)] * 30).endswith("... and 20 more")


def test_texts_of_a_script() -> None:
    source = """#!/bin/sh
# A comment of
# two lines.
set -eu

target: $(READY)
\t@# Within a recipe.
\techo "# nobody"
"""
    assert [*texts_of_script(source)] == [(2, "A comment of two lines."), (7, "Within a recipe.")]
