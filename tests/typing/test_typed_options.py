"""The typed options are those that are accepted, neither more nor less."""

from __future__ import annotations as annotations_feature

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from aws_iam_async import options
from aws_iam_async.drivers.aiomysql import AiomysqlDriver
from aws_iam_async.drivers.asyncpg import AsyncpgDriver
from aws_iam_async.drivers.protocol import Driver
from aws_iam_async.drivers.psycopg import PsycopgDriver
from aws_iam_async.names import PLUGIN_OPTIONS as OPTIONS_BY_PLUGIN

PLUGIN_OPTIONS = frozenset().union(*OPTIONS_BY_PLUGIN.values())

STUB = Path(options.__file__).with_name("typed.pyi")
typed_options: Any = ModuleType("typed")
exec(compile(STUB.read_text(), STUB, "exec", flags=annotations_feature.compiler_flag), vars(typed_options))

APART = {
    "record_class",
    "row_factory",
}  # a parameter of its own where the driver is named: it decides the type of what comes back


def accepted(driver: type[Driver], *, pool: bool) -> set[str]:
    names = options.FIELDS | options.TLS_OPTIONS | PLUGIN_OPTIONS | driver.connect_options
    aliases = {name for name, option in driver.aliases.items() if pool or option not in driver.pool_options}
    return {"plugins", *names, *aliases, *(driver.pool_options if pool else ())}


@pytest.mark.parametrize(
    ("typed", "driver", "pool"),
    [
        (typed_options.AsyncpgOptions, AsyncpgDriver, False),
        (typed_options.AsyncpgPoolOptions, AsyncpgDriver, True),
        (typed_options.AiomysqlOptions, AiomysqlDriver, False),
        (typed_options.AiomysqlPoolOptions, AiomysqlDriver, True),
        (typed_options.PsycopgOptions, PsycopgDriver, False),
        (typed_options.PsycopgPoolOptions, PsycopgDriver, True),
    ],
)
def test_options_of_a_named_driver(typed: type, driver: type[Driver], *, pool: bool) -> None:
    assert typed.__annotations__.keys() | (APART & driver.connect_options) == accepted(driver, pool=pool)


@pytest.mark.parametrize(("typed", "pool"), [(typed_options.ConnectOptions, False), (typed_options.PoolOptions, True)])
def test_options_where_the_dsn_names_the_driver(typed: type, *, pool: bool) -> None:
    assert typed.__annotations__.keys() == set().union(
        *(accepted(driver, pool=pool) for driver in (AsyncpgDriver, AiomysqlDriver, PsycopgDriver))
    )


def test_options_of_the_plugins() -> None:
    assert typed_options.PluginOptions.__annotations__.keys() == PLUGIN_OPTIONS
