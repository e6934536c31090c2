"""A stub of asyncpg that does not use the network, so that only the code around the driver is measured."""

import contextlib
import inspect
from collections.abc import Iterator
from typing import Any
from unittest import mock

import asyncpg

REGION = "us-east-1"
HOST = f"shop.cluster-c9akciq32.{REGION}.rds.amazonaws.com"
DSN = f"postgresql://app@{HOST}/shop"
KEYWORDS: dict[str, Any] = {"driver": "asyncpg", "host": HOST, "user": "app", "database": "shop"}


class Connection:
    """A connection without a server."""

    closed = autocommit = False

    def terminate(self) -> None:
        """Do nothing."""


_CONNECTION = Connection()


async def connect(*_arguments: Any, **_options: Any) -> Connection:
    """Return a connection without a server."""
    return _CONNECTION


vars(connect)["__signature__"] = inspect.signature(asyncpg.connect)  # the adapter reads the signature


@contextlib.contextmanager
def stubbed() -> Iterator[None]:
    """Replace ``asyncpg.connect`` by the stub."""
    with mock.patch.object(asyncpg, "connect", connect):
        yield
