"""A failed attempt of asyncpg leaves no socket in the loop. asyncpg still keeps the socket in the expected place."""

import asyncio
import gc
import inspect
import math
import warnings
from pathlib import Path

import asyncpg
import pytest
from asyncpg import connect_utils

from aws_iam_async.testing import Stage
from tests.credentials.conftest import AwsHome
from tests.login.conftest import Rds, give_environment, settle

ESTABLISHED = "01"


@pytest.fixture
def database(postgresql: Rds, aws_home: AwsHome) -> Rds:
    give_environment(aws_home, postgresql.emulator.account.create_access_key())
    return postgresql


def test_asyncpg_still_keeps_its_transport_there() -> None:
    assert connect_utils.__file__.endswith("connect_utils.py")
    connect = vars(connect_utils)["__connect_addr"]
    names = inspect.unwrap(connect).__code__.co_varnames
    assert "tr" in names, f"asyncpg {asyncpg.__version__} moved it: adapt _abort_leftovers in drivers/asyncpg.py"


async def test_a_refused_login_ends_its_socket_at_once(database: Rds) -> None:
    database.emulator.faults.reject_next(1)
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await database.connect()
    await settle()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        gc.collect()
    assert [str(warning.message) for warning in caught] == []


@pytest.mark.parametrize("stage", list(Stage))
async def test_a_server_that_stalls_cannot_hold_the_socket_of_a_time_out(database: Rds, stage: Stage) -> None:
    database.emulator.faults.delay(stage, math.inf)
    tasks = asyncio.all_tasks()
    with pytest.raises(TimeoutError):
        await database.connect(timeout=0.3)
    await settle()
    assert asyncio.all_tasks() == tasks
    assert open_to(database.emulator.port) == 0
    database.emulator.cut_connections()


def open_to(port: int) -> int:
    """How many sockets of clients are connected to a port of this machine, by the kernel's own list."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[2].endswith(f":{port:04X}") and row[3] == ESTABLISHED for row in rows)
