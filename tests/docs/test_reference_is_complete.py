"""Whatever is public says what it is, what it takes, in which units, and what it raises."""

import ast
import re
import textwrap
from collections.abc import Iterator
from typing import Any

import griffe
import pytest

# Read without running, in Google's style: as mkdocstrings does it for the site.
PACKAGE = griffe.load("aws_iam_async", docstring_parser="google", docstring_options={"warnings": False})
MODULES = [PACKAGE, PACKAGE["testing"], PACKAGE["sqlalchemy"]]
UNITS = re.compile(r"\b(seconds?|Unix time)\b|_seconds\b", re.IGNORECASE)
# Methods of Python's coroutine protocol. Opening must have them, but users do not call them.
COROUTINE = {"send", "throw"}
ELSEWHERE = re.compile(r":func:`aws_iam_async\.(\w+)`")


def definition(thing: Any) -> Any:
    return thing.final_target if thing.is_alias else thing


PUBLIC = {f"{module.path}.{name}": definition(module[name]) for module in MODULES for name in module.exports or ()}


def section(thing: Any, kind: str) -> dict[str, str]:
    """What the docstring has under one heading, by name; that of errors, by type."""
    found = [part for part in thing.docstring.parsed if part.kind.value == kind] if thing.docstring else []
    entries = [entry for part in found for entry in part.value]
    return {str(getattr(entry, "name", entry.annotation)).lstrip("*"): entry.description for entry in entries}


def explained(thing: Any) -> dict[str, str]:
    """What a docstring says of arguments and attributes: its own, its bases', and what it refers to."""
    if not thing.docstring:
        return {}
    text = thing.docstring.value
    found = dict.fromkeys(re.findall(r"``(\w+)``", text), text)
    for other in (*(thing.resolved_bases if thing.is_class else ()), *map(PACKAGE.get_member, ELSEWHERE.findall(text))):
        found |= explained(definition(other))
    return found | section(thing, "attributes") | section(thing, "parameters")


def raised(function: Any) -> set[str]:
    """The errors that stand behind ``raise`` in a function itself."""
    nodes = ast.walk(ast.parse(textwrap.dedent(function.source)))
    calls = [node.exc.func for node in nodes if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)]
    return {ast.unparse(call).rpartition(".")[2] for call in calls} - {"with_traceback"}


def faults_of_values(values: dict[str, Any], described: dict[str, str]) -> Iterator[str]:
    for name, annotation in values.items():
        if name not in described:
            yield f"{name} is not explained"
        elif "float" in re.findall(r"\w+", str(annotation)) and not UNITS.search(f"{name} {described[name]}"):
            yield f"{name} has no unit"


def faults_of_function(function: Any, described: Any) -> Iterator[str]:
    if not described.docstring:
        yield "no docstring"
        return
    parameters = [one for one in function.parameters if one.name not in {"self", "cls"} and one.name[0] != "_"]
    yield from faults_of_values({one.name: one.annotation for one in parameters}, explained(described))
    errors = raised(function) - section(described, "raises").keys()
    yield from (f"{error} is raised and not mentioned" for error in errors)


def faults_of_class(cls: Any) -> Iterator[str]:
    if not cls.docstring:
        yield "no docstring"
        return
    is_enum = "StrEnum" in map(str, cls.bases)  # where a member's value may say enough
    for name, member in cls.members.items():
        if member.is_alias or (name.startswith("_") and name != "__init__") or name in COROUTINE:
            continue
        if member.is_function:
            found = faults_of_function(member, cls if name == "__init__" else member)
            yield from (f"{name}(): {fault}" for fault in found)
        elif not is_enum:
            own = {name: member.docstring.value} if member.docstring else {}
            yield from faults_of_values({name: member.annotation}, explained(cls) | own)


def faults(thing: Any) -> list[str]:
    if thing.is_class:
        return list(faults_of_class(thing))
    return list(faults_of_function(thing, thing)) if thing.is_function else [] if thing.docstring else ["no docstring"]


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_explained(name: str) -> None:
    assert faults(PUBLIC[name]) == []


EXAMPLE = '''
class Explained:
    """Short.

    Args:
        first: A number of seconds.
    """
    def __init__(self, first: float, second: int) -> None: ...

    def wait(self, limit: float) -> None:
        """Wait.

        Args:
            limit: How long.
        """
        raise ValueError("no")

    def silent(self) -> None: ...
'''


def test_what_is_missing_is_found() -> None:
    with griffe.temporary_visited_module(EXAMPLE, docstring_parser="google") as module:
        assert faults(module["Explained"]) == [
            "__init__(): second is not explained",
            "wait(): limit has no unit",
            "wait(): ValueError is raised and not mentioned",
            "silent(): no docstring",
        ]
