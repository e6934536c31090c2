"""Measures the processor time of a verified TLS connection.

This package is compared with the bare driver, once with a shared SSLContext and once with a new SSLContext for each
connection. All subjects log in to the same emulator with a token that is already signed, and verify the certificate
chain and the host name. Only the client's thread is measured. The emulator runs in another thread.
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

CONNECTIONS = 200
BARE = "bare driver, shared context"
REBUILT = "bare driver, a context each"
ROOT_CERT, CONTEXT = "this package, sslrootcert=", "this package, ssl=context"


async def _cost(connect: Callable[[], Awaitable[Any]]) -> float:
    """Return the processor time of one connection attempt in milliseconds, without closing the connection."""
    start = time.thread_time()
    connection = await connect()
    spent = time.thread_time() - start
    await (connection.ensure_closed() if isinstance(connection, aiomysql.Connection) else connection.close())
    return spent * 1000


async def _compare(emulator: Emulator) -> dict[str, Spread]:
    """Return the cost of each subject. The bare driver is the first."""
    address = {"host": emulator.dial_host, "port": emulator.port, "user": "app"}
    token = await RdsTokenProvider().get_token(host=emulator.host, port=emulator.port, user="app")
    ca_file = str(emulator.ca_file)
    context = ssl.create_default_context(cafile=ca_file)
    pinned = pin(context, emulator.host)

    async def bare(tls: ssl.SSLContext = pinned) -> Any:
        if emulator.upstream.protocol == "postgresql":
            return await asyncpg.connect(**address, database="shop", password=str(token.value), ssl=tls)
        # aiomysql 0.3 cannot send a password of a token's length in its first packet, so this is its own subclass.
        connection = Connection(dial=None)  # type: ignore[arg-type]  # this connection never reconnects
        request = ConnectRequest(
            driver="aiomysql", password=token.value, tls=Tls(context=tls), database="shop", **address
        )
        await connection.log_in(request)
        return connection

    async def rebuilt() -> Any:
        new_context = contexts.build(Tls("verify-full"))
        new_context.load_verify_locations(cafile=ca_file)
        return await bare(pin(new_context, emulator.host))

    async with PluginManager() as manager:
        dsn = emulator.dsn("app", "shop")

        async def connect(**options: Any) -> Any:
            return await manager.connect(dsn, iam_host=emulator.host, **options)

        subjects: dict[str, Callable[[], Awaitable[Any]]] = {
            BARE: bare,
            REBUILT: rebuilt,
            ROOT_CERT: lambda: connect(sslrootcert=ca_file),
            CONTEXT: lambda: connect(ssl=context),
        }
        return await _in_turn(subjects)


async def _compare_psycopg(emulator: Emulator) -> dict[str, Spread]:
    """Return the cost of each subject with psycopg. libpq reads the CA file for each connection.

    Bare psycopg gets all parameters that verify the server and prevent other ways of sending the token.
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


async def _in_turn(subjects: dict[str, Callable[[], Awaitable[Any]]]) -> dict[str, Spread]:
    costs: dict[str, list[float]] = {name: [] for name in subjects}
    for subject in subjects.values():
        await _cost(subject)
    for _ in range(CONNECTIONS):
        # Take turns in random order, because the load of the machine changes all the time.
        for name in random.sample(list(subjects), len(subjects)):
            costs[name].append(await _cost(subjects[name]))
    return {name: Spread.of(several) for name, several in costs.items()}


def measure() -> list[Line]:
    """Run the benchmark with each driver."""
    lines = []
    for driver, kind in ((asyncpg, PostgresServer), (aiomysql, MariadbServer), (psycopg, PostgresServer)):
        with kind() as server, Emulator(server) as emulator:
            server.create_user("app")
            server.create_database("shop", owner="app")
            key = emulator.account.create_access_key()
            os.environ |= {"AWS_ACCESS_KEY_ID": key.access_key, "AWS_SECRET_ACCESS_KEY": str(key.secret_key)}
            costs = asyncio.run((_compare_psycopg if driver is psycopg else _compare)(emulator))
        targets = [
            Target(f"{subject}, of the {other}", costs[subject].median / costs[other].median, limit)
            for subject in (ROOT_CERT, CONTEXT)
            for other, limit in ((BARE, 1.05), (REBUILT, 0.15))
            if {subject, other} <= costs.keys()
        ]
        lines.append(Line(f"verified TLS connect, {driver.__name__}", "ms of processor time", costs, targets))
    return lines
