"""asyncpg with its network left out, so that what remains is what is added to it."""

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
    """Nothing is behind it."""

    closed = autocommit = False

    def terminate(self) -> None:
        """Close."""


_CONNECTION = Connection()


async def connect(*_arguments: Any, **_options: Any) -> Connection:
    """Connect to nothing."""
    return _CONNECTION


vars(connect)["__signature__"] = inspect.signature(asyncpg.connect)  # which the adapter reads


@contextlib.contextmanager
def stubbed() -> Iterator[None]:
    """Let asyncpg connect to nothing."""
    with mock.patch.object(asyncpg, "connect", connect):
        yield
