"""psycopg in front of the emulator: a key in the environment, no variable of libpq, and names that lead there."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from aws_iam_async import PluginManager
from aws_iam_async.testing import Emulator
from tests.credentials.conftest import AwsHome, aws_home
from tests.faults.leaks import sockets
from tests.login.conftest import Rds, give_environment, postgresql

__all__ = ["aws_home", "postgresql"]


@pytest.fixture
def rds(postgresql: Rds, aws_home: AwsHome) -> Rds:
    for name in [name for name in os.environ if name.startswith("PG")]:
        aws_home.environ.delenv(name)
    give_environment(aws_home, postgresql.emulator.account.create_access_key())
    return Rds("psycopg", postgresql.emulator)


@pytest.fixture
async def manager() -> AsyncIterator[PluginManager]:
    async with PluginManager() as manager:
        yield manager


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let names lead to addresses."""
    real = socket.getaddrinfo
    known: dict[str, tuple[str, ...]] = {}

    def getaddrinfo(host: Any, *args: Any, **keywords: Any) -> Any:
        return [answer for one in known.get(host, [host]) for answer in real(one, *args, **keywords)]

    def lead(name: str, *addresses: str) -> None:
        known[name] = addresses

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return lead


@pytest.fixture
def by_name(rds: Rds, resolve: Callable[..., None]) -> dict[str, Any]:
    """The options to dial the endpoint by its own name, as on AWS: there is no iam_host."""
    resolve(rds.emulator.host, rds.emulator.dial_host)
    return {
        "driver": "psycopg",
        "host": rds.emulator.host,
        "port": rds.emulator.port,
        "user": "app",
        "database": "shop",
        "sslrootcert": rds.emulator.ca_file,
    }


@pytest.fixture
async def nothing_left(rds: Rds) -> AsyncIterator[None]:
    """Compare the sockets and tasks after a test with those before it.

    There may be fewer sockets: those that tests of other files have left are closed at any time.
    """
    await gone(rds.emulator)
    sockets_before, tasks_before = held()
    yield
    await gone(rds.emulator)
    for _ in range(500):
        sockets_now, tasks_now = held()
        if sockets_now <= sockets_before and tasks_now == tasks_before:
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"sockets {sockets_before}, then {sockets_now}; tasks {tasks_before}, then {tasks_now}")


def held() -> tuple[int, set[str]]:
    """The sockets of this process, and the tasks of this loop."""
    return sockets(), {task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()}


async def gone(emulator: Emulator) -> None:
    """Wait until all clients have hung up."""
    await asyncio.to_thread(emulator.wait_for_connections, 0)
