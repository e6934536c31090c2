"""asyncpg with its network left out, so that what remains is what this package adds."""

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

import asyncpg

HOST = "shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com"
DSN = f"postgresql://app@{HOST}/shop"
KEYWORDS = {"driver": "asyncpg", "host": HOST, "user": "app", "database": "shop"}

_CONNECTION = object()


async def connect(**_options: Any) -> object:
    """Connect to nothing."""
    return _CONNECTION


@contextlib.contextmanager
def stubbed() -> Iterator[None]:
    """Let asyncpg connect to nothing. Its adapter has to be loaded before, since it reads the real signature."""
    with mock.patch.object(asyncpg, "connect", connect):
        yield
