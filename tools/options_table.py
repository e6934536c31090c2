"""A hook that MkDocs calls. It shows the plugins' options, with the texts from ``aws_iam_async/options/typed.pyi``."""

import ast
import itertools
import re
from collections.abc import Collection, Iterator, Mapping
from importlib import resources

from aws_iam_async.names import PLUGIN_OPTIONS

# A link to the stub. Its text names the plugins.
_LINK = re.compile(r"^\[Options of (.*)\]\(\.\./aws_iam_async/options/typed\.pyi\)$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: object) -> str:
    """Replace each link such as ``[Options of iam](../aws_iam_async/options/typed.pyi)`` by a table."""
    stub = resources.files("aws_iam_async.options").joinpath("typed.pyi").read_text()
    return _LINK.sub(
        lambda link: options_table(stub, {code: PLUGIN_OPTIONS[code] for code in link[1].split(", ")}), markdown
    )


def options_table(stub: str, plugins: Mapping[str, Collection[str]]) -> str:
    """Return a table of the plugins' options in Markdown. If there are several plugins, the last column names them.

    Args:
        stub: The source of TypedDicts. The string below a key is its meaning, then ``Default: ...`` or ``Required``.
        plugins: The names of the options of each plugin, by its code.
    """
    rows = [("Option", "Default", "Meaning", "Plugin"), ("---",) * 4]
    for option, text in _texts(stub):
        owners = ", ".join(f"`{code}`" for code, options in plugins.items() if option in options)
        if owners:
            meaning, default = re.split(r" Default: | (?=Required$)", text.removesuffix("."))
            rows.append((f"`{option}`", default, meaning, owners))
    columns = 4 if len(plugins) > 1 else 3
    return "\n".join(f"| {' | '.join(row[:columns])} |" for row in rows)


def _texts(stub: str) -> Iterator[tuple[str, str]]:
    """Find each annotated name that has a string below it, and that string on one line."""
    for node in ast.parse(stub).body:
        for pair in itertools.pairwise(node.body if isinstance(node, ast.ClassDef) else ()):
            match pair:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    yield name, " ".join(text.split())
