"""The tables of the docs name what there is, all of it and nothing else."""

import importlib
import re
from typing import Any

import pytest

import aws_iam_async
from aws_iam_async import AwsIamError, ConfigurationError, PluginManager
from aws_iam_async.credentials.source import AssumedRole
from aws_iam_async.names import PLUGIN_OPTIONS
from aws_iam_async.plugins import secrets_manager
from aws_iam_async.plugins.iam import IamPlugin
from aws_iam_async.tokens import token
from tests.docs.pages import ROOT, table


def names(cell: str) -> list[str]:
    return cell.split("`")[1::2]


def test_options_of_the_iam_plugin() -> None:
    rows = table("docs/connecting.md", "## Options of the `iam` plugin")
    assert sorted(name for row in rows for name in names(row[0])) == sorted(IamPlugin.option_names)


def test_options_of_all_plugins() -> None:
    rows = table("docs/reference-options.md", "## Options of the plugins")
    documented = {(plugin, option) for row in rows for option in names(row[0]) for plugin in names(row[-1])}
    assert documented == {(plugin, option) for plugin, options in PLUGIN_OPTIONS.items() for option in options}


def test_each_plugin_option_has_a_default_and_a_meaning() -> None:
    rows = table("docs/reference-options.md", "## Options of the plugins")
    assert [row for row in rows if len(row) != 4 or not all(row)] == []
    assert {row[0] for row in rows if row[1] == "Required"} == {"`secret_id`", "`role`"}


def test_defaults_of_plugin_options() -> None:
    defaults = {
        "iam_token_expiration": str(token.DEFAULT_EXPIRATION),
        "secret_expiration": str(secrets_manager.DEFAULT_EXPIRATION),
        "role_session_name": AssumedRole._field_defaults["role_session_name"],
    }
    rows = {
        row[0].strip("`"): row[1].strip("`") for row in table("docs/reference-options.md", "## Options of the plugins")
    }
    assert {name: rows[name] for name in defaults} == defaults


def test_where_each_rule_lives() -> None:
    rows = table("CONTRIBUTING.md", "## Where each rule lives")
    for rule, files, functions in rows:
        source = "".join((ROOT / "aws_iam_async" / file).read_text() for file in names(files))
        for name in names(functions):
            assert re.search(rf"\b{name.removesuffix('()').rpartition('.')[2]}\b", source), f"{rule}: {name}"


def test_loggers() -> None:
    files = [file.relative_to(ROOT) for file in (ROOT / "aws_iam_async").rglob("*.py")]
    loggers = [".".join(f.with_suffix("").parts) for f in files if "getLogger(__name__)" in (ROOT / f).read_text()]
    documented = {name for row in table("docs/logging.md", "## Loggers") for name in names(row[0])}
    assert sorted(documented) == sorted(loggers)


def test_the_advice_on_pins_is_for_this_version() -> None:
    major, minor, _ = aws_iam_async.__version__.split(".")
    pin = f"aws-iam-async[asyncpg]>={major}.{minor},<{major}.{int(minor) + 1}"
    assert pin in (ROOT / "docs/versioning.md").read_text().splitlines()


def test_errors() -> None:
    exported = [getattr(aws_iam_async, name) for name in aws_iam_async.__all__]
    errors = [value.__name__ for value in exported if isinstance(value, type) and issubclass(value, AwsIamError)]
    rows = table("docs/reference-errors.md", "## Which error means what")
    documented = [name for row in rows for name in names(row[0])]
    assert sorted(documented) == sorted(errors)


@pytest.mark.parametrize("name", ["aws_iam_async", "aws_iam_async.testing", "aws_iam_async.sqlalchemy"])
def test_the_reference_holds_everything_public(name: str) -> None:
    reference = "".join(page.read_text() for page in (ROOT / "docs").glob("reference*.md"))
    documented = re.findall(rf"^::: {re.escape(name)}\.(\w+)$", reference, re.MULTILINE)
    assert sorted(documented) == sorted(importlib.import_module(name).__all__)


def foreign_names() -> list[tuple[str, str]]:
    """The options' names in the wrappers, each with its name here."""
    rows = table("docs/migrating.md", "## Names of the AWS wrappers")
    pairs = [(name, names(row[0])[0]) for row in rows for cell in row[1:] for name in names(cell)]
    return [(foreign, own) for foreign, own in pairs if own in IamPlugin.option_names and foreign[0].islower()]


@pytest.mark.parametrize(("foreign", "own"), foreign_names())
def test_a_wrappers_option_is_known_or_answered_with_the_name_here(foreign: str, own: str) -> None:
    options: dict[str, Any] = {foreign: "anything"}
    if foreign != own:
        with pytest.raises(ConfigurationError, match=f"did you mean {own}"):
            PluginManager(**options)


def test_the_migration_table_is_read() -> None:
    not_in_the_wrappers = {"role_arn", "external_id", "role_session_name"}
    assert {own for _, own in foreign_names()} == IamPlugin.option_names - not_in_the_wrappers
