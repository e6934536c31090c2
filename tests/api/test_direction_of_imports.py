"""Imports have one direction: from what users call down to what everything stands on, and no way back up."""

import ast
import graphlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = "aws_iam_async"
ROOT = Path(__file__).parents[2] / PACKAGE

# Modules that are one component, in whatever folder they are. Others belong to the component of their folder, or of
# their own name at the top level.
TOGETHER = {"opening": "signatures", "options.typed": "signatures"}
# From top to bottom. A module may import its own component and those in the layers below its own; not its neighbours.
LAYERS = [
    ["__init__"],
    ["api", "sqlalchemy"],
    ["manager"],
    ["pipeline", "signatures"],
    ["plugins", "options", "search"],
    ["tokens"],
    ["credentials"],
    ["drivers", "refresh_ahead"],
    ["request"],
    ["tls"],
    ["endpoints", "names"],
    ["errors", "secret", "threads", "statistics"],
]
# What stands below, and a component may not import all the same.
NOT_EVEN = {
    "signatures": {"options"},
    "drivers": {"statistics"},
    "tokens": {"drivers", "request"},
    "credentials": {"drivers", "request"},
}
# They use the core, and the core does not know of them.
OUTSIDE = {"cli", "testing", "__main__"}
VERSION = f"{PACKAGE}.__version__"  # the only name of the package itself that its modules may use
LAYER = {name: number for number, names in enumerate(LAYERS) for name in names}


@dataclass(frozen=True)
class Import:
    """One import of something in the package."""

    file: str
    line: int
    text: str
    importer: str
    imported: str

    def __str__(self) -> str:
        return f"{PACKAGE}/{self.file}:{self.line}: {self.text}"


def component(*parts: str) -> str:
    """Return the component of a module. ``parts`` are those of its dotted name, without the package's."""
    for name in (".".join(parts[:1]), ".".join(parts[:2])):
        if name in TOGETHER:
            return TOGETHER[name]
    return parts[0] if parts else "__init__"


def is_component(name: str, root: Path) -> bool:
    return (root / f"{name}.py").exists() or (root / name).is_dir()


def imported_names(node: ast.AST, package: list[str]) -> Iterator[str]:
    """The full names that an import statement brings; of ``from a import b`` that is ``a.b``."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module != "__future__":
        base = package[: len(package) - node.level + 1] if node.level else []
        module = ".".join([*base, *([node.module] if node.module else [])])
        yield from (f"{module}.{alias.name}" for alias in node.names)


def imports_of(path: Path, root: Path = ROOT) -> Iterator[Import]:
    """Every import of the package in a file: also those in functions and for type checkers only."""
    inside = path.relative_to(root).with_suffix("").parts
    package = [PACKAGE, *inside[:-1]]
    importer = component() if inside == ("__init__",) else component(*inside)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for name in imported_names(node, package):
            first, *rest = name.split(".")
            if first == PACKAGE and name != VERSION:
                imported = component(*(rest if is_component(rest[0], root) else [])) if rest else component()
                yield Import(path.relative_to(root).as_posix(), node.lineno, ast.unparse(node), importer, imported)  # type: ignore[attr-defined]  # statements have a line


def everything(root: Path = ROOT) -> list[Import]:
    found = [found for path in sorted(root.rglob("*.py")) for found in imports_of(path, root)]
    return list(dict.fromkeys(found))  # an import of several names is one


def fault(found: Import) -> str | None:
    """What is wrong with an import, if anything is."""
    importer, imported = found.importer, found.imported
    if importer in OUTSIDE or importer == imported:
        return None
    if imported in OUTSIDE:
        return f"{importer} must not know of {imported}"
    for one in (importer, imported):
        if one not in LAYER:
            return f"{one} has no place in LAYERS"
    if imported in NOT_EVEN.get(importer, ()) or LAYER[imported] <= LAYER[importer]:
        return f"{importer} must not import {imported}"
    return None


def test_every_import_leads_down() -> None:
    faults = [f"{found}  # {why}" for found in everything() if (why := fault(found))]
    assert not faults, "\n".join([f"{len(faults)} imports:", *faults])


def cycle(imports: list[Import]) -> list[str]:
    """The components of one circle of imports, each followed by what it imports; the first is the last one too."""
    graph: dict[str, set[str]] = {}
    for found in imports:
        if found.importer not in OUTSIDE and found.importer != found.imported:
            graph.setdefault(found.importer, set()).add(found.imported)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])[::-1]  # given from imported to importer
    return []


def test_no_components_import_each_other_in_a_circle() -> None:
    imports = everything()
    circle = cycle(imports)
    steps = [
        next(str(found) for found in imports if (found.importer, found.imported) == step)
        for step in itertools.pairwise(circle)
    ]
    assert not circle, "\n".join([" > ".join(circle), *steps])


@pytest.mark.parametrize("module", sorted(path.relative_to(ROOT).parts[0] for path in ROOT.iterdir()))
def test_every_component_has_a_place(module: str) -> None:
    name = module.removesuffix(".py")
    assert component(name) in LAYER or name in OUTSIDE or name in {"py.typed", "__pycache__"}, (
        f"{module} is not in LAYERS"
    )


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("drivers/x.py", "def f():\n    from aws_iam_async.plugins import iam", "drivers must not import plugins"),
        ("drivers/x.py", "if TYPE_CHECKING:\n    import aws_iam_async.options", "drivers must not import options"),
        ("drivers/x.py", "from aws_iam_async import errors, statistics", "drivers must not import statistics"),
        ("drivers/x.py", "from .. import manager", "drivers must not import manager"),
        ("tokens/x.py", "from aws_iam_async.request import ConnectRequest", "tokens must not import request"),
        ("credentials/x.py", "from aws_iam_async.tokens.token import Token", "credentials must not import tokens"),
        ("plugins/x.py", "from ..options import read", "plugins must not import options"),
        ("manager.py", "from aws_iam_async.cli.main import main", "manager must not know of cli"),
        ("errors.py", "from aws_iam_async import PluginManager", "errors must not import __init__"),
        ("manager.py", "from aws_iam_async.sorcery import spell", "sorcery has no place in LAYERS"),
        ("opening.py", "from aws_iam_async.options import merge", "signatures must not import options"),
        ("opening.py", "from aws_iam_async import manager", "signatures must not import manager"),
        ("options/x.py", "from aws_iam_async.options.typed import Connect", "options must not import signatures"),
        ("options/x.py", "from aws_iam_async.options import typed", "options must not import signatures"),
        ("opening.py", "from aws_iam_async.options.typed import Connect", None),
        ("options/typed.py", "from aws_iam_async.opening import Opening", None),
        ("drivers/x.py", "from __future__ import annotations\nfrom aws_iam_async.drivers.y import z", None),
        ("drivers/x.py", "import asyncpg\nfrom aws_iam_async import tls", None),
        ("cli/x.py", "from aws_iam_async import PluginManager", None),
        ("plugins/x.py", "from aws_iam_async import __version__", None),
    ],
)
def test_the_check_sees(tmp_path: Path, file: str, text: str, found: str | None) -> None:
    for name in ("api", "manager", "opening", "request", "tls", "errors", "statistics", "sorcery"):
        (tmp_path / f"{name}.py").touch()
    for name in ("plugins", "options", "tokens", "credentials", "drivers", "cli"):
        (tmp_path / name).mkdir()
    (tmp_path / file).write_text(text)
    faults = {fault(one) for one in imports_of(tmp_path / file, tmp_path)} - {None}
    assert faults == ({found} - {None})


def test_the_check_sees_circles() -> None:
    def one(importer: str, imported: str) -> Import:
        return Import("x.py", 1, "import x", importer, imported)

    assert cycle([one("api", "manager"), one("manager", "errors"), one("cli", "api")]) == []
    assert set(cycle([one("api", "manager"), one("manager", "tls"), one("tls", "api")])) == {"api", "manager", "tls"}
