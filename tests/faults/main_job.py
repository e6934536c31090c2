"""The main job as a program of its own: ``python main_job.py DRIVER LOOP ...``, with the emulator in the environment.

Connects many times at once, fills a pool, cancels a connection attempt in the middle, and closes everything.
"""

import asyncio
import os
import sys
from typing import Any

import uvloop

from aws_iam_async import PluginManager

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
SIZE = 5
SLOW = 1.0  # seconds; not the 0.1 of asyncio's debug mode, which a busy machine needs for nothing at all


async def query(driver: str, connection: Any) -> Any:
    if driver == "asyncpg":
        return await connection.fetchval("SELECT 1")
    async with connection.cursor() as cursor:
        await cursor.execute("SELECT 1")
        return (await cursor.fetchone())[0]


async def main(driver: str) -> None:
    asyncio.get_running_loop().slow_callback_duration = SLOW
    options: dict[str, Any] = {
        "driver": driver,
        "host": os.environ["EMULATOR_ADDRESS"],
        "port": os.environ["EMULATOR_PORT"],
        "user": "app",
        "database": "shop",
        "iam_host": os.environ["EMULATOR_HOST"],
        "iam_default_port": os.environ["EMULATOR_PORT"],
        "sslrootcert": os.environ["EMULATOR_CA"],
    }
    if driver == "psycopg":
        options["autocommit"] = True  # else its pool logs that it ends the transaction of a query
    least, most = ("minsize", "maxsize") if driver == "aiomysql" else ("min_size", "max_size")
    sizes: dict[str, Any] = {least: 2, most: SIZE}
    async with PluginManager() as manager:
        async with asyncio.TaskGroup() as group:
            for _ in range(2 * SIZE):
                group.create_task(connect(manager, driver, options))
        async with manager.create_pool(**(options | sizes)) as pool:
            take, give = (pool.getconn, pool.putconn) if driver == "psycopg" else (pool.acquire, pool.release)
            connections = [await take() for _ in range(SIZE)]
            for connection in connections:
                assert await query(driver, connection) == 1
            for connection in connections:
                await give(connection)
        try:
            async with asyncio.timeout(0):
                await manager.connect(**options)
        except TimeoutError:
            pass
        statistics = manager.statistics()
    print(f"generations={statistics.generations} connects={statistics.connects}")  # noqa: T201 - it is a program


async def connect(manager: PluginManager, driver: str, options: dict[str, Any]) -> None:
    async with manager.connect(**options) as connection:
        assert await query(driver, connection) == 1


if __name__ == "__main__":
    for loop in sys.argv[2:]:
        with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
            runner.run(main(sys.argv[1]))
