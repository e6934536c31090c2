"""A pytest plugin for asyncpg's own tests: what they connect with is this package's, through the emulator."""

import os
from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import Any

import asyncpg._testbase
from asyncpg import cluster, connection

from aws_iam_async import PluginManager

_testbase: Any = asyncpg._testbase  # what is replaced below is as private as it gets
# Not by PGHOST, which would have the suite skip its tests of lost connections. It starts no server of its own now.
_testbase._default_cluster = cluster.RunningCluster(
    host=os.environ["EMULATOR_ADDRESS"], port=os.environ["EMULATOR_PORT"]
)
_managers = {"iam": PluginManager("iam"), "": PluginManager("")}
_original_spec = _testbase.ClusterTestCase.get_connection_spec.__func__


def _spec(cls: type[Any], keywords: Mapping[str, Any] = {}) -> Any:
    spec = _original_spec(cls, keywords)
    if "ssl" not in keywords:
        spec |= {
            "iam_host": os.environ["EMULATOR_HOST"],
            "iam_default_port": os.environ["EMULATOR_PORT"],  # some of the tests put a proxy in between
            "sslrootcert": os.environ["EMULATOR_CA"],
        }
    return spec


def _connect(cls: type[Any], /, **keywords: Any) -> Any:
    # Those that are about plaintext need no token.
    manager = _managers["" if "ssl" in keywords else "iam"]
    return manager.connect(driver="asyncpg", **cls.get_connection_spec(keywords), loop=cls.loop)


def _create_pool(self: Any, connect: Callable[..., Awaitable[Any]] | None = None, **keywords: Any) -> "_Making":
    spec = self.get_connection_spec(keywords)

    async def create() -> Any:
        pool: Any = await _managers["iam"].create_pool(driver="asyncpg", **spec, loop=self.loop)
        self._pools.append(pool)
        if connect is not None:
            # The suite wraps what a pool connects with by default, from the second connection on.
            connection.connect, pool._connect = pool._connect, connect
        return pool

    return _Making(create())


class _Making:
    """The suite awaits what ``create_pool`` returns, or enters it."""

    def __init__(self, making: Awaitable[Any]) -> None:
        self._making = making

    def __await__(self) -> Generator[Any, None, Any]:
        return self._making.__await__()

    async def __aenter__(self) -> Any:
        self._pool = await self._making
        return self._pool

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close()


_testbase.ClusterTestCase.get_connection_spec = classmethod(_spec)
_testbase.ClusterTestCase.connect = classmethod(_connect)
_testbase.ClusterTestCase.create_pool = _create_pool
