"""A long run of pools under load and random faults: ``python -m benchmarks.soak --minutes 20``.

Two pools, one of each driver, on one manager, with tokens that live for seconds and an access key that is replaced
every half minute. Every statement is accounted for; after each round the pools are closed and what is left is counted.
Every tenth round good tokens are refused for a minute.
Ends with status 1 if anything was lost, ran twice, leaked or did not recover, if objects grew in number, or if asyncio
had a complaint.
"""

import argparse
import asyncio
import contextlib
import gc
import logging
import random
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aws_iam_async import Credentials, PluginManager
from tests.faults.faults import FAULTS, LASTS, Fault, tokens_rejected
from tests.faults.leaks import sockets
from tests.faults.load import Load, loaded
from tests.faults.site import LOOPS, SERVERS, Site, site

ROUND = 30.0  # seconds under load, after which everything is closed and counted
TOKEN_LIFE = 2  # seconds
KEY_LIFE = 60.0  # seconds
CALM = 15.0  # seconds that sockets and tasks are given to come to their end
BETWEEN = 0.5  # seconds between two faults, at most
OUTAGE = 60.0  # seconds
OUTAGE_EVERY = 10  # rounds
SETTLED = 3  # rounds after which objects are compared
GROWTH = 1.03  # of their number between the halves of a run, at most


@dataclass
class Tally:
    """What happened."""

    rounds: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    queries: int = 0
    alone: int = 0
    recoveries: dict[str, float] = field(default_factory=dict)  # the longest after each fault, in seconds
    errors: Counter[str] = field(default_factory=Counter)
    logged: Counter[str] = field(default_factory=Counter)
    defects: list[str] = field(default_factory=list)
    sockets_left: int = 0
    tasks_left: int = 0
    memory: list[int] = field(default_factory=list)  # bytes
    objects: list[int] = field(default_factory=list)


class Complaints(logging.Handler):
    """Counts what is logged: drivers and pools tell of failed connects; asyncio, only of what nobody has dealt with."""

    def __init__(self, tally: Tally) -> None:
        super().__init__(logging.WARNING)
        self._tally = tally

    def emit(self, record: logging.LogRecord) -> None:
        """Count."""
        self._tally.logged[record.name] += 1
        if record.name == "asyncio":
            self._tally.defects.append(f"round {self._tally.rounds}: asyncio: {record.getMessage()}")


class Keys:
    """Credentials of a site's account, replaced when they have lived half their life."""

    def __init__(self, place: Site) -> None:
        self._account = place.emulator.account
        self._failing = False
        self._renew()

    def _renew(self) -> None:
        self._key = self._account.create_access_key(session=True)
        self._until = time.time() + KEY_LIFE

    async def __call__(self) -> Credentials:
        """What ``credentials=`` takes."""
        if self._failing:
            raise OSError("the endpoint is down")
        if time.time() > self._until - KEY_LIFE / 2:
            self._renew()
        return Credentials(
            self._key.access_key,
            self._key.secret_key,
            self._key.session_token,
            expires_at=datetime.now(UTC) + timedelta(seconds=self._until - time.time()),
        )

    async def revoked(self, place: Site) -> None:
        """A fault: the key is no longer valid, and there is a new one."""
        self._account.revoke(self._key.access_key)
        self._renew()
        place.emulator.cut_connections()
        await asyncio.sleep(LASTS)

    async def revoked_and_down(self, place: Site) -> None:
        """A fault: the key is no longer valid, and for a while nobody says what the new one is."""
        self._failing = True
        try:
            await self.revoked(place)
        finally:
            self._failing = False


async def soak(sites: list[Site], seconds: float, seed: int, tally: Tally) -> PluginManager:
    """Run rounds until the time is over."""
    chance = random.Random(seed)
    end = time.monotonic() + seconds
    keys = {place.driver: Keys(place) for place in sites}
    async with PluginManager(iam_token_expiration=TOKEN_LIFE) as manager:
        for place in sites:  # imports, TLS contexts
            async with place.connect(manager, credentials=keys[place.driver]):
                pass
        await calm(sites, None, tally)
        before = sockets()
        while time.monotonic() < end:
            tally.rounds += 1
            try:
                await one_round(sites, manager, keys, min(end, time.monotonic() + ROUND), chance, tally)
            except (AssertionError, TimeoutError, ExceptionGroup) as error:
                tally.defects.append(f"round {tally.rounds}: {type(error).__name__}: {error}")
            for place in sites:
                place.heal()
            await calm(sites, before, tally)
            gc.collect()
            tally.memory.append(resident())
            tally.objects.append(len(gc.get_objects()))
    if grew(tally.objects):
        tally.defects.append("objects grew in number")
    return manager


async def one_round(
    sites: list[Site],
    manager: PluginManager,
    keys: dict[str, Keys],
    end: float,
    chance: random.Random,
    tally: Tally,
) -> None:
    """Open the pools, let things go wrong, close them, and count."""
    loads: list[Load] = []
    try:
        async with contextlib.AsyncExitStack() as stack:
            for place in sites:
                under_load = loaded(place, manager, credentials=keys[place.driver])
                loads.append(await stack.enter_async_context(under_load))
            async with asyncio.TaskGroup() as group:
                for place, load in zip(sites, loads, strict=True):
                    source = keys[place.driver]
                    faults = [*FAULTS.values(), source.revoked, source.revoked_and_down]
                    if tally.rounds % OUTAGE_EVERY == 0:
                        faults = [refused_for_a_minute]
                    group.create_task(trouble(place, load, faults, end, chance, tally))
    finally:
        for load in loads:
            tally.queries += len(load.answered)
            tally.alone += load.alone
            tally.errors += load.errors


async def refused_for_a_minute(place: Site) -> None:
    """A fault: good tokens are refused for longer than anybody's patience."""
    await tokens_rejected(place, seconds=OUTAGE)


async def trouble(
    place: Site, load: Load, faults: list[Fault], end: float, chance: random.Random, tally: Tally
) -> None:
    """One fault after the other; after each the pool has to be at its full size."""
    while time.monotonic() < end:
        fault = chance.choice(faults)
        name = fault.__name__
        tally.faults[name] += 1
        await fault(place)
        began = time.monotonic()
        try:
            await load.at_full_size()
        except TimeoutError:
            tally.defects.append(f"round {tally.rounds}: {place.driver} was not at full size after {name}")
        tally.recoveries[name] = max(tally.recoveries.get(name, 0.0), time.monotonic() - began)
        await asyncio.sleep(chance.uniform(0, BETWEEN))


async def calm(sites: list[Site], expected: int | None, tally: Tally) -> None:
    """Wait until nobody is connected and, then, until there are no more sockets and tasks than there were."""
    end = time.monotonic() + CALM
    me = asyncio.current_task()
    while time.monotonic() < end:
        left = asyncio.all_tasks() - {me}
        open_now = sum(place.proxy.connections + place.emulator.connections for place in sites)
        if not left and not open_now and (expected is None or sockets() <= expected):
            break
        await asyncio.sleep(0.02)
    else:
        tally.sockets_left += max(0, sockets() - (expected or 0))
        tally.tasks_left += len(asyncio.all_tasks()) - 1
    await asyncio.sleep(0.1)


def resident() -> int:
    """Return how many bytes of memory this process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def grew(objects: list[int]) -> bool:
    """Whether there are more after the rounds of the second half of a run than after those of the first.

    Not judged by the memory of the process: threads of proxies and emulators have arenas of their own for it in the C
    library, which take some more for a long while (with ``MALLOC_ARENA_MAX=1`` they do not).
    """
    rounds = objects[SETTLED:]
    half = len(rounds) // 2
    return half > 0 and statistics.median(rounds[-half:]) > GROWTH * statistics.median(rounds[:half])


def table(tally: Tally, manager: PluginManager, *, command: str) -> str:
    """Return the outcome as text."""
    counts = manager.statistics()
    lines = [
        f"command                {command}",
        f"rounds                 {tally.rounds}",
        f"connects               {counts.connects}, and {counts.failures} failed",
        f"tokens                 {counts.generations}",
        f"faults                 {tally.faults.total()}",
        *(
            f"  {name:<22} {count:>5}, at full size again within {tally.recoveries.get(name, 0):.1f} s"
            for name, count in sorted(tally.faults.items())
        ),
        f"queries answered       {tally.queries}, {tally.alone} of them over a connection of their own",
        f"errors                 {tally.errors.total()}",
        *(f"  {name:<40} {count:>7}" for name, count in tally.errors.most_common()),
        f"warnings logged        {tally.logged.total()}",
        *(f"  {name:<40} {count:>7}" for name, count in tally.logged.most_common()),
        f"lost, run twice, stuck {len(tally.defects)}",
        *(f"  {defect}" for defect in tally.defects),
        f"sockets left           {tally.sockets_left}",
        f"tasks left             {tally.tasks_left}",
        "objects, thousands     " + " ".join(f"{count / 1000:.0f}" for count in tally.objects),
        "memory, MiB            " + " ".join(f"{size / 2**20:.0f}" for size in tally.memory),
    ]
    return "\n".join(lines)


def main() -> int:
    """Read the command line, soak, print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**16))
    parser.add_argument("--loop", choices=LOOPS, default="asyncio")
    given = parser.parse_args()
    command = f"python -m benchmarks.soak --minutes {given.minutes:g} --seed {given.seed} --loop {given.loop}"
    print(command, flush=True)
    tally = Tally()
    logging.getLogger().addHandler(Complaints(tally))
    with contextlib.ExitStack() as stack:
        sites = [stack.enter_context(site(driver, seed=given.seed)) for driver in SERVERS]
        with asyncio.Runner(loop_factory=LOOPS[given.loop]) as runner:
            manager = runner.run(soak(sites, given.minutes * 60, given.seed, tally))
    print(table(tally, manager, command=command))
    return 1 if tally.defects or tally.sockets_left or tally.tasks_left else 0


if __name__ == "__main__":
    sys.exit(main())
