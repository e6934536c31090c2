"""The driver's time limit also covers what precedes the first connection of a pool: the checks of plugins."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import aiomysql
import psycopg
import pytest

from aws_iam_async import ConnectRequest
from tests.login.conftest import Rds

LIMIT = {"asyncpg": "timeout", "aiomysql": "connect_timeout", "psycopg": "connect_timeout"}
TOO_LATE = (TimeoutError, aiomysql.OperationalError, psycopg.errors.ConnectionTimeout)


def limited(rds: Rds, **options: Any) -> Any:
    return rds.create_pool(0, 1, **{LIMIT[rds.driver]: 0.3, **options})


async def test_a_check_that_hangs(rds: Rds) -> None:
    ended = []

    class Slow:
        async def connect(self, request: ConnectRequest, call_next: Any) -> Any:
            return await call_next(request)

        async def check(self, request: ConnectRequest) -> None:
            try:
                await asyncio.sleep(60)
            finally:
                ended.append(request.host)

    async with asyncio.timeout(20):
        with pytest.raises(TOO_LATE, match=r"within 0\.3 s"):
            await limited(rds, plugins=["iam", Slow()])
    assert ended == ["127.0.0.1"]


async def test_a_certificate_file_that_hangs(rds: Rds, tmp_path: Path) -> None:
    file = tmp_path / "roots.pem"
    os.mkfifo(file)
    started = time.monotonic()
    with pytest.raises(TOO_LATE, match=r"within 0\.3 s"):
        await limited(rds, sslrootcert=str(file))
    assert time.monotonic() - started < 20
    (reader,) = (thread for thread in threading.enumerate() if thread.name == "aws_iam_async TLS context")
    os.close(os.open(file, os.O_WRONLY | os.O_NONBLOCK))
    await asyncio.to_thread(reader.join, 20)


async def test_a_check_that_takes_its_time_within_the_limit(rds: Rds) -> None:
    class Slow:
        async def connect(self, request: ConnectRequest, call_next: Any) -> Any:
            return await call_next(request)

        async def check(self, request: ConnectRequest) -> None:  # noqa: ARG002 - the plugin's signature
            await asyncio.sleep(0.01)

    async with limited(rds, plugins=["iam", Slow()], **{LIMIT[rds.driver]: 20}) as pool, rds.acquired(pool, 1) as held:
        assert await rds.value(held[0], "SELECT 1") == 1


PROGRAM = """
import asyncio, socket, time
import aws_iam_async

socket.getaddrinfo = lambda *_, **__: time.sleep(600)
options = {"host": "db.example.com", "user": "app", "iam_host": "auto", "timeout": 0.3}
for opening in aws_iam_async.create_pool, aws_iam_async.connect:
    try:
        asyncio.run(opening(driver="asyncpg", **options))
    except TimeoutError as error:
        print(error)
"""


def test_a_resolver_that_hangs_does_not_hold_up_the_end_of_the_program() -> None:
    command = [sys.executable, "-c", PROGRAM]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    late = "no connection to db.example.com:5432 within 0.3 s (timeout)"
    assert ran.stdout.splitlines() == [late, late], ran.stderr
