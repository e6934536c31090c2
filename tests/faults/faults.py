"""What can go wrong at a site. Each fault begins, lasts for some tenths of a second, and has ended when it returns."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

import pymysql

from aws_iam_async.testing import Stage
from tests.faults.load import SIZE
from tests.faults.site import Site

LASTS = 0.2  # seconds
HOUR = 3600.0

Fault = Callable[[Site], Awaitable[None]]


async def server_crashes(site: Site) -> None:
    """The server is killed, and starts again with its data."""
    await asyncio.to_thread(site.restart, crash=True)


async def server_restarts(site: Site) -> None:
    """The server shuts down properly, tells its clients, and starts again."""
    await asyncio.to_thread(site.restart, crash=False)


async def all_cut(site: Site) -> None:
    """All connections are broken off at once, as in a failover."""
    site.emulator.cut_connections()
    await asyncio.sleep(LASTS)


async def refused(site: Site) -> None:
    """New connections are refused, and the old ones are closed."""
    site.proxy.refusing = True
    site.proxy.cut()
    await asyncio.sleep(LASTS)
    site.proxy.heal()


def cut_at(stage: Stage) -> Fault:
    """Connection attempts are broken off at a stage of the login, twice the size of the pool."""

    async def fault(site: Site) -> None:
        site.emulator.faults.cut(stage, times=2 * SIZE)
        site.emulator.cut_connections()
        await asyncio.sleep(LASTS)
        site.emulator.faults.cut(stage, times=0)

    fault.__name__ = f"cut_at_{stage.name.lower()}"
    return fault


def stalled(way: str) -> Fault:
    """All data in one direction is held back and arrives later. This includes the data of connection attempts."""

    async def fault(site: Site) -> None:
        site.emulator.cut_connections()
        getattr(site.proxy, way).stalled = True
        await asyncio.sleep(LASTS)
        site.proxy.heal()

    fault.__name__ = f"stalled_{way}"
    return fault


def cut_amid(way: str) -> Fault:
    """Connections are broken off in the middle of a packet, over and over."""

    async def fault(site: Site) -> None:
        for size in (900, 2500, 6000):
            getattr(site.proxy, way).cut_after = size
            await asyncio.sleep(LASTS / 3)
        site.proxy.heal()

    fault.__name__ = f"cut_amid_{way}"
    return fault


async def delayed(site: Site) -> None:
    """All data is delayed by varying times."""
    site.emulator.cut_connections()
    site.proxy.to_client.delay = site.proxy.to_server.delay = 0.03
    await asyncio.sleep(LASTS)
    site.proxy.heal()


async def trickled(site: Site) -> None:
    """Data arrives in small pieces, so that messages are read in parts, or together with parts of the next message."""
    site.emulator.cut_connections()
    for largest in (1, 3, 50):
        site.proxy.to_client.largest = site.proxy.to_server.largest = largest
        await asyncio.sleep(LASTS / 2)
    site.proxy.heal()


async def tokens_rejected(site: Site, *, seconds: float = LASTS) -> None:
    """The server refuses the valid tokens of all clients."""
    site.emulator.faults.reject_next(1_000_000)
    site.emulator.cut_connections()
    await asyncio.sleep(seconds)
    site.emulator.faults.reject_next(0)


async def tokens_age_early(site: Site) -> None:
    """The server refuses tokens that are older than 1 second, which includes cached tokens but no new ones."""
    site.emulator.faults.max_token_age = 1.0
    before = len(site.emulator.logins)
    while all(login.accepted for login in site.emulator.logins[before:]):
        site.emulator.cut_connections()
        await asyncio.sleep(LASTS)
    site.emulator.faults.max_token_age = None


async def throttled(site: Site) -> None:
    """RDS accepts 200 new tokens per second. Later, it accepts none, and forgets the tokens that it has accepted."""
    site.emulator.faults.throttle = 200
    site.emulator.cut_connections()
    await asyncio.sleep(LASTS)
    site.emulator.reset()
    site.emulator.faults.throttle = 0
    site.emulator.cut_connections()
    await asyncio.sleep(LASTS)
    site.emulator.faults.throttle = None


async def server_clock_steps(site: Site) -> None:
    """The server's clock is 1 hour ahead of this machine's, then 1 hour behind."""
    for clock in (lambda: time.time() + HOUR, lambda: time.time() - HOUR):
        site.emulator.clock = clock
        site.emulator.cut_connections()
        await asyncio.sleep(LASTS)
    site.emulator.clock = time.time


async def too_many_connections(site: Site) -> None:
    """The server accepts fewer connections than the pool needs."""
    if site.driver == "aiomysql":  # the smallest limit of MariaDB is 10
        limit, no_limit = "SET GLOBAL max_connections = 10", "SET GLOBAL max_connections = 400"
    else:
        limit, no_limit = f"ALTER ROLE app CONNECTION LIMIT {SIZE // 2}", "ALTER ROLE app CONNECTION LIMIT -1"
    await asyncio.to_thread(site.server.execute, limit)
    site.emulator.cut_connections()
    await asyncio.sleep(LASTS)
    # Refuse clients, because they could take the connection that is reserved for administrators.
    site.proxy.refusing = True
    while True:
        try:
            await asyncio.to_thread(site.server.execute, no_limit)
        except pymysql.err.OperationalError:
            await asyncio.sleep(LASTS / 10)
        else:
            break
    site.proxy.heal()


FAULTS: Mapping[str, Fault] = {
    fault.__name__: fault
    for fault in (
        server_crashes,
        server_restarts,
        all_cut,
        refused,
        *(cut_at(stage) for stage in Stage),
        *(stalled(way) for way in ("to_client", "to_server")),
        *(cut_amid(way) for way in ("to_client", "to_server")),
        delayed,
        trickled,
        tokens_rejected,
        tokens_age_early,
        throttled,
        server_clock_steps,
        too_many_connections,
    )
}
