"""Runs a day with outages in minutes, on real servers: ``python -m benchmarks.short_lives --minutes 5``.

An access key is valid for 1 minute and is then revoked. The source of the keys takes 0.5 s to answer, and is down for 6
seconds of every minute. The servers refuse tokens that are older than 13 seconds. The benchmark connects all the time,
and opens a pool of 50 connections once every minute.

It prints a table. The exit status is 1 if a connection after the first one waited for AWS, was refused or failed.
"""

import argparse
import asyncio
import contextlib
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from aws_iam_async import Credentials, PluginManager
from aws_iam_async.testing import Account
from tests.faults.site import SERVERS, Site, site

Refresh = Literal["on_use", "background"]
KINDS: tuple[Refresh, ...] = ("on_use", "background")
PAUSE = 0.1  # seconds between two connections
GRACE = 3.0  # seconds for which the server accepts a token after the cache stops serving it


@dataclass(frozen=True, kw_only=True)
class Lives:
    """The settings of a run. Times are in seconds.

    Attributes:
        key: The lifetime of an access key. The run repeats with this period.
        token: The lifetime of a token in the cache.
        fetch: How long a request for a key takes.
        outage: How long an outage of the source lasts.
        outage_at: When the outage begins in each period. The first period begins with the first request.
        storm: The number of connections that a pool opens at once.
        storm_at: When the pool opens in each period. The first period begins with the run.
    """

    key: float = 60.0
    token: int = 10
    fetch: float = 0.5
    outage: float = 6.0
    outage_at: float = 45.0
    storm: int = 50
    storm_at: float = 49.0


class KeySource:
    """A source of access keys that are revoked as soon as they expire."""

    def __init__(self, account: Account, lives: Lives) -> None:
        self._account = account
        self._lives = lives
        self._start: float | None = None
        self._revocations: list[asyncio.TimerHandle] = []
        self.requests = 0
        self.failures = 0

    async def load(self) -> Credentials:
        """Return a new key. Pass this method as ``credentials=``."""
        loop = asyncio.get_running_loop()
        self._start = loop.time() if self._start is None else self._start
        is_down = 0 <= (loop.time() - self._start) % self._lives.key - self._lives.outage_at < self._lives.outage
        self.requests += 1
        await asyncio.sleep(self._lives.fetch)
        if is_down:
            self.failures += 1
            raise OSError("the source of keys is down")
        key = self._account.create_access_key(session=True)
        self._revocations.append(loop.call_later(self._lives.key, self._account.revoke, key.access_key))
        expires_at = datetime.now(UTC) + timedelta(seconds=self._lives.key)
        return Credentials(key.access_key, key.secret_key, key.session_token, expires_at)

    def close(self) -> None:
        """Cancel the planned revocations."""
        for revocation in self._revocations:
            revocation.cancel()


@dataclass(frozen=True)
class Outcome:
    """The counts of one manager.

    Attributes:
        connects: Physical connections.
        waits: Connections that waited for a token. The first one always does.
        failures: Connection attempts that failed.
        rejections: Tokens that the server refused.
        generations: Signed tokens.
        requests: Requests for a key.
        requests_failed: Requests for a key that failed.
    """

    connects: int
    waits: int
    failures: int
    rejections: int
    generations: int
    requests: int
    requests_failed: int

    @property
    def is_undisturbed(self) -> bool:
        """Whether only the first connection waited, and none failed."""
        return (self.waits, self.failures, self.rejections) == (1, 0, 0)


async def live(place: Site, refresh: Refresh, lives: Lives, seconds: float) -> Outcome:
    """Connect again and again for a number of seconds."""
    loop = asyncio.get_running_loop()
    place.emulator.faults.max_token_age = lives.token + GRACE
    source = KeySource(place.emulator.account, lives)
    end, storm = loop.time() + seconds, loop.time() + lives.storm_at
    async with PluginManager(refresh=refresh, credentials=source.load, iam_token_expiration=lives.token) as manager:
        while loop.time() < end:
            async with place.connect(manager) as connection:
                await place.execute(connection, "SELECT 1")
            if loop.time() >= storm:
                storm += lives.key
                async with place.create_pool(manager, lives.storm, lives.storm):
                    pass
            await asyncio.sleep(PAUSE)
        counted = manager.statistics()
    source.close()
    return Outcome(
        counted.connects,
        counted.waits,
        counted.failures,
        counted.rejections,
        counted.generations,
        source.requests,
        source.failures,
    )


async def _live_all(places: list[Site], seconds: float) -> dict[tuple[str, Refresh], Outcome]:
    async with asyncio.TaskGroup() as group:
        tasks = {
            (place.driver, kind): group.create_task(live(place, kind, Lives(), seconds))
            for place in places
            for kind in KINDS
        }
    return {name: task.result() for name, task in tasks.items()}


def main() -> int:
    """Read the command line, run the benchmark and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.short_lives", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    minutes: float = parser.parse_args().minutes
    with contextlib.ExitStack() as stack:
        places = [stack.enter_context(site(driver)) for driver in SERVERS]
        outcomes = asyncio.run(_live_all(places, minutes * 60))
        refused = sum(not login.accepted for place in places for login in place.emulator.logins)
    print("| | connections | waited for AWS | failed | refused | tokens | key requests | failed key requests |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for (driver, kind), outcome in outcomes.items():
        numbers = (outcome.connects, outcome.waits, outcome.failures, outcome.rejections, outcome.generations)
        cells = (f'{driver}, `refresh="{kind}"`', *numbers, outcome.requests, outcome.requests_failed)
        print(f"| {' | '.join(map(str, cells))} |")
    return 0 if refused == 0 and all(outcome.is_undisturbed for outcome in outcomes.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
