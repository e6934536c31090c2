"""A program that connects in every way with all warnings as errors, and prints which libpq it used: see the test."""

import asyncio
import contextlib
import gc
import logging
import os
import sys
from typing import Any

import psycopg
import uvloop

from aws_iam_async import PluginManager
from tests.faults.leaks import sockets

OPTIONS: dict[str, Any] = {
    "driver": "psycopg",
    "host": os.environ["EMULATOR_ADDRESS"],
    "port": int(os.environ["EMULATOR_PORT"]),
    "user": "app",
    "database": "shop",
    "iam_host": os.environ["EMULATOR_HOST"],
    "sslrootcert": os.environ["EMULATOR_CA"],
}


async def fail(opening: Any, expected: type[BaseException]) -> None:
    try:
        await opening
    except expected:
        return
    raise AssertionError(f"no {expected.__name__}")


async def main() -> None:
    async with PluginManager() as manager:
        async with manager.connect(**OPTIONS) as connection:
            assert connection.pgconn.ssl_in_use
        async with manager.create_pool(**OPTIONS, min_size=2) as pool, pool.connection():
            pass
        before = sockets()
        await fail(manager.connect(**{**OPTIONS, "iam_region": "eu-west-1"}), psycopg.OperationalError)
        await fail(manager.create_pool(**{**OPTIONS, "iam_region": "eu-west-1"}), psycopg.OperationalError)
        for steps in range(0, 120, 3):
            for open_it in (manager.connect, manager.create_pool):
                task = asyncio.ensure_future(open_it(**OPTIONS))
                for _ in range(steps):
                    await asyncio.sleep(0)
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await (await task).close()
                limited = asyncio.ensure_future(open_it(**OPTIONS, connect_timeout=steps / 5000 + 0.0001))
                with contextlib.suppress(psycopg.errors.ConnectionTimeout):
                    await (await limited).close()
        async with asyncio.timeout(10):
            while asyncio.all_tasks() != {asyncio.current_task()} or sockets() != before:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)
        gc.collect()


if __name__ == "__main__":
    for name in ("psycopg.pool", "asyncio"):  # failed attempts and slow callbacks, which are wanted here
        logging.getLogger(name).setLevel(logging.ERROR)
    loops = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    with asyncio.Runner(loop_factory=loops[sys.argv[1]]) as runner:
        runner.run(main())
    print(psycopg.pq.__impl__, psycopg.pq.version() // 10000)  # noqa: T201 - read by the test
