"""A pytest plugin for aiomysql's own tests: what they connect with is this package's, through the emulator."""

import os
from typing import Any

import aiomysql
import pytest

from aws_iam_async import PluginManager, drivers

drivers.load_now("aiomysql")  # it reads the signature of what is replaced below
_manager = PluginManager()
_iam: dict[str, Any] = {"iam_host": os.environ["EMULATOR_HOST"], "sslrootcert": os.environ["EMULATOR_CA"]}


def _connect(**keywords: Any) -> Any:
    return _manager.connect(driver="aiomysql", **keywords, **_iam)


def _create_pool(**keywords: Any) -> Any:
    return _manager.create_pool(driver="aiomysql", **keywords, **_iam)


aiomysql.connect = _connect
aiomysql.create_pool = _create_pool


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: Any, request: pytest.FixtureRequest) -> Any:
    """Instead of the suite's own fixture, which wants to log in as root with a password, over TLS to the end."""
    if fixturedef.argname != "mysql_server":
        return None
    server = {
        "conn_params": {
            "user": "app",
            "host": os.environ["EMULATOR_ADDRESS"],
            "port": int(os.environ["EMULATOR_PORT"]),
        },
    }
    fixturedef.cached_result = (server, fixturedef.cache_key(request), None)
    return server
