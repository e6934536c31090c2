"""What a verified connect costs in processor time, beside the bare driver with a shared context and with a new one.

All log in to the same emulator with a token that is there already, and verify the chain and the name. Only the client's
thread is measured: the emulator has its own.
"""

import asyncio
import os
import random
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiomysql
import asyncpg
import psycopg

from aws_iam_async import ConnectRequest, PluginManager, RdsTokenProvider
from aws_iam_async.drivers.aiomysql.connection import Connection
from aws_iam_async.testing import Emulator, MariadbServer, PostgresServer
from aws_iam_async.tls import Tls, contexts
from aws_iam_async.tls.pinning import pin
from benchmarks.line import Line, Spread, Target

CONNECTS = 200
BARE = "bare driver, shared context"
REBUILT = "bare driver, a context each"
ROOT_CERT, CONTEXT = "this package, sslrootcert=", "this package, ssl=context"


async def _cost(connect: Callable[[], Awaitable[Any]]) -> float:
    """Milliseconds of this thread for one connect, without its closing."""
    start = time.thread_time()
    connection = await connect()
    spent = time.thread_time() - start
    await (connection.ensure_closed() if isinstance(connection, aiomysql.Connection) else connection.close())
    return spent * 1000


async def _compare(emulator: Emulator) -> dict[str, Spread]:
    """Return the cost of each way to connect, the bare driver's first."""
    address = {"host": emulator.dial_host, "port": emulator.port, "user": "app"}
    token = await RdsTokenProvider().get_token(host=emulator.host, port=emulator.port, user="app")
    trust = str(emulator.ca_file)
    own = ssl.create_default_context(cafile=trust)
    pinned = pin(own, emulator.host)

    async def bare(tls: ssl.SSLContext = pinned) -> Any:
        if emulator.upstream.protocol == "postgresql":
            return await asyncpg.connect(**address, database="shop", password=str(token.value), ssl=tls)
        # aiomysql 0.3 cannot send a password of a token's length in its first packet, so this is its own subclass.
        connection = Connection(dial=None)  # type: ignore[arg-type]  # never dialled anew
        request = ConnectRequest(
            driver="aiomysql", password=token.value, tls=Tls(context=tls), database="shop", **address
        )
        await connection.log_in(request)
        return connection

    async def rebuilt() -> Any:
        fresh = contexts.build(Tls("verify-full"))
        fresh.load_verify_locations(cafile=trust)
        return await bare(pin(fresh, emulator.host))

    async with PluginManager() as manager:
        dsn = emulator.dsn("app", "shop")

        async def connect(**options: Any) -> Any:
            return await manager.connect(dsn, iam_host=emulator.host, **options)

        ways: dict[str, Callable[[], Awaitable[Any]]] = {
            BARE: bare,
            REBUILT: rebuilt,
            ROOT_CERT: lambda: connect(sslrootcert=trust),
            CONTEXT: lambda: connect(ssl=own),
        }
        return await _in_turn(ways)


async def _compare_psycopg(emulator: Emulator) -> dict[str, Spread]:
    """The same with libpq, which reads the file of authorities for each connection.

    Bare psycopg gets all parameters that verify the server, and keep the token from being sent in another way.
    """
    token = await RdsTokenProvider().get_token(host=emulator.host, port=emulator.port, user="app")
    parameters: dict[str, Any] = {
        "host": emulator.host,
        "hostaddr": emulator.dial_host,
        "port": emulator.port,
        "user": "app",
        "dbname": "shop",
        "password": str(token.value),
        "sslmode": "verify-full",
        "sslrootcert": str(emulator.ca_file),
        "ssl_min_protocol_version": "TLSv1.2",
        "gssencmode": "disable",
        "require_auth": "password",
    }

    async def bare() -> Any:
        return await psycopg.AsyncConnection.connect(**parameters)

    async with PluginManager() as manager:
        dsn = emulator.dsn("app", "shop").replace("://", "+psycopg://")
        options: dict[str, Any] = {"iam_host": emulator.host, "sslrootcert": str(emulator.ca_file)}

        async def connect() -> Any:
            return await manager.connect(dsn, **options)

        return await _in_turn({BARE: bare, ROOT_CERT: connect})


async def _in_turn(ways: dict[str, Callable[[], Awaitable[Any]]]) -> dict[str, Spread]:
    costs: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        await _cost(way)
    for _ in range(CONNECTS):
        # In turn, since what else the machine does changes by the second, and none always after the same one.
        for name in random.sample(list(ways), len(ways)):
            costs[name].append(await _cost(ways[name]))
    return {name: Spread.of(several) for name, several in costs.items()}


def measure() -> list[Line]:
    """Measure all drivers."""
    lines = []
    for driver, kind in ((asyncpg, PostgresServer), (aiomysql, MariadbServer), (psycopg, PostgresServer)):
        with kind() as server, Emulator(server) as emulator:
            server.create_user("app")
            server.create_database("shop", owner="app")
            key = emulator.account.create_access_key()
            os.environ |= {"AWS_ACCESS_KEY_ID": key.access_key, "AWS_SECRET_ACCESS_KEY": str(key.secret_key)}
            costs = asyncio.run((_compare_psycopg if driver is psycopg else _compare)(emulator))
        targets = [
            Target(f"{way}, of the {other}", costs[way].median / costs[other].median, limit)
            for way in (ROOT_CERT, CONTEXT)
            for other, limit in ((BARE, 1.05), (REBUILT, 0.15))
            if {way, other} <= costs.keys()
        ]
        lines.append(Line(f"verified TLS connect, {driver.__name__}", "ms of processor time", costs, targets))
    return lines
