"""What a verified connect costs in processor time, beside the bare driver with a shared context.

Run it with ``python -m benchmarks.tls_connect``. Both log in to the same emulator with a token that is there already,
and both verify the chain and the name. Only the client's thread is measured: the emulator has its own.
"""

import asyncio
import os
import ssl
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiomysql
import asyncpg

from aws_iam_async import PluginManager, RdsTokenProvider
from aws_iam_async.drivers.aiomysql.connection import Connection
from aws_iam_async.testing import Emulator, MariadbServer, PostgresServer
from aws_iam_async.trust.pinning import pin

CONNECTS = 500


async def _cost(connect: Callable[[], Awaitable[Any]]) -> float:
    """Milliseconds of this thread for one connect, without its closing."""
    start = time.thread_time()
    connection = await connect()
    spent = time.thread_time() - start
    await (connection.close() if isinstance(connection, asyncpg.Connection) else connection.ensure_closed())
    return spent * 1000


async def _compare(emulator: Emulator) -> tuple[float, float]:
    address = {"host": emulator.dial_host, "port": emulator.port, "user": "app"}
    token = await RdsTokenProvider().get_token(host=emulator.host, port=emulator.port, user="app")
    context = pin(ssl.create_default_context(cafile=emulator.ca_file), emulator.host)

    async def bare() -> Any:
        if emulator.upstream.protocol == "postgresql":
            return await asyncpg.connect(**address, database="shop", password=str(token.value), ssl=context)
        # aiomysql 0.3 cannot send a password of a token's length in its first packet, so this is its own subclass.
        connection = Connection(dial=None)  # type: ignore[arg-type]  # never dialled anew
        await connection.log_in(token.value, tls=context, secret_needs_tls=True, **address, db="shop")
        return connection

    async with PluginManager() as manager:

        async def ours() -> Any:
            return await manager.connect(
                emulator.dsn("app", "shop"), iam_host=emulator.host, sslrootcert=emulator.ca_file
            )

        # In turn, since what else the machine does changes by the second.
        pairs = [(await _cost(bare), await _cost(ours)) for _ in range(CONNECTS)]
    return statistics.median(one for one, _ in pairs), statistics.median(other for _, other in pairs)


def main() -> None:
    """Print the figures for both drivers."""
    print(f"{'driver':10}{'bare, ms':>12}{'ours, ms':>12}{'ratio':>8}")
    for driver, kind in ((asyncpg, PostgresServer), (aiomysql, MariadbServer)):
        with kind() as server, Emulator(server) as emulator:
            server.create_user("app")
            server.create_database("shop", owner="app")
            key = emulator.account.create_access_key()
            os.environ |= {"AWS_ACCESS_KEY_ID": key.access_key, "AWS_SECRET_ACCESS_KEY": str(key.secret_key)}
            bare, ours = asyncio.run(_compare(emulator))
            print(f"{driver.__name__:10}{bare:12.2f}{ours:12.2f}{ours / bare:8.2f}")


if __name__ == "__main__":
    main()
