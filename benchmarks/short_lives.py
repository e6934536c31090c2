"""The simulated day on real servers, in minutes: ``python -m benchmarks.short_lives --minutes 5``.

Access keys live for a minute and are revoked then; who gives them out takes half a second for it, and is down for six
seconds of every minute. The servers refuse tokens that are older than thirteen seconds. Somebody connects all the time,
and now and then a pool of fifty is opened at once.

Prints a table. Ends with status 1 if anybody but the first waited for AWS, was refused or failed.
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
PAUSE = 0.1  # seconds between two connects
GRACE = 3.0  # seconds for which the server still takes a token that is not served any more


@dataclass(frozen=True, kw_only=True)
class Lives:
    """How long everything lasts, in seconds.

    Attributes:
        key: An access key.
        token: A token in the cache.
        fetch: Giving out a key.
        outage: For how long nobody gives one out.
        outage_at: When that begins, after the first request and after each life of a key.
        storm: How many connections are opened at once.
        storm_at: When, after the start and after each life of a key.
    """

    key: float = 60.0
    token: int = 10
    fetch: float = 0.5
    outage: float = 6.0
    outage_at: float = 45.0
    storm: int = 50
    storm_at: float = 49.0


class Vault:
    """Gives out keys of an account, which are revoked as soon as they expire."""

    def __init__(self, account: Account, lives: Lives) -> None:
        self._account = account
        self._lives = lives
        self._began: float | None = None
        self._revocations: list[asyncio.TimerHandle] = []
        self.requests = 0
        self.failures = 0

    async def load(self) -> Credentials:
        """What ``credentials=`` takes."""
        loop = asyncio.get_running_loop()
        self._began = loop.time() if self._began is None else self._began
        down = 0 <= (loop.time() - self._began) % self._lives.key - self._lives.outage_at < self._lives.outage
        self.requests += 1
        await asyncio.sleep(self._lives.fetch)
        if down:
            self.failures += 1
            raise OSError("nobody gives out keys now")
        key = self._account.create_access_key(session=True)
        self._revocations.append(loop.call_later(self._lives.key, self._account.revoke, key.access_key))
        expires_at = datetime.now(UTC) + timedelta(seconds=self._lives.key)
        return Credentials(key.access_key, key.secret_key, key.session_token, expires_at)

    def close(self) -> None:
        """Revoke nothing any more."""
        for revocation in self._revocations:
            revocation.cancel()


@dataclass(frozen=True)
class Outcome:
    """What happened to one manager.

    Attributes:
        connects: Physical connections.
        waits: For a token; the first has to.
        failures: Attempts that failed.
        rejections: Tokens that the server refused.
        generations: Tokens signed.
        requests: Times the vault was asked.
        requests_failed: Times it had nothing to give.
    """

    connects: int
    waits: int
    failures: int
    rejections: int
    generations: int
    requests: int
    requests_failed: int

    @property
    def good(self) -> bool:
        """Whether only the first had to wait, and nobody noticed anything else."""
        return (self.waits, self.failures, self.rejections) == (1, 0, 0)


async def live(place: Site, refresh: Refresh, lives: Lives, seconds: float) -> Outcome:
    """Connect for so many seconds."""
    loop = asyncio.get_running_loop()
    place.emulator.faults.max_token_age = lives.token + GRACE
    vault = Vault(place.emulator.account, lives)
    end, storm = loop.time() + seconds, loop.time() + lives.storm_at
    async with PluginManager(refresh=refresh, credentials=vault.load, iam_token_expiration=lives.token) as manager:
        while loop.time() < end:
            async with place.connect(manager) as connection:
                await place.execute(connection, "SELECT 1")
            if loop.time() >= storm:
                storm += lives.key
                async with place.create_pool(manager, lives.storm, lives.storm):
                    pass
            await asyncio.sleep(PAUSE)
        counted = manager.statistics()
    vault.close()
    return Outcome(
        counted.connects,
        counted.waits,
        counted.failures,
        counted.rejections,
        counted.generations,
        vault.requests,
        vault.failures,
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
    """Read the command line, let time pass, print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.short_lives", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    minutes: float = parser.parse_args().minutes
    with contextlib.ExitStack() as stack:
        places = [stack.enter_context(site(driver)) for driver in SERVERS]
        outcomes = asyncio.run(_live_all(places, minutes * 60))
        refused = sum(not login.accepted for place in places for login in place.emulator.logins)
    print("| | connects | waited for AWS | failed | refused | tokens | keys asked for | in vain |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for (driver, kind), outcome in outcomes.items():
        numbers = (outcome.connects, outcome.waits, outcome.failures, outcome.rejections, outcome.generations)
        cells = (f'{driver}, `refresh="{kind}"`', *numbers, outcome.requests, outcome.requests_failed)
        print(f"| {' | '.join(map(str, cells))} |")
    return 0 if refused == 0 and all(outcome.good for outcome in outcomes.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
