"""Runs pools under load and random faults for a long time: ``python -m benchmarks.soak --minutes 20``.

Each driver has one pool, and all pools share one manager. Tokens live for 2 seconds, and the access key is replaced
every 30 seconds. The benchmark checks the result of every statement. After each round, it closes the pools and counts
open sockets and tasks. In every tenth round, the servers refuse valid tokens for 1 minute.

The exit status is 1 if a statement was lost or ran twice, if a pool did not recover, or if a socket or task leaked. It
is also 1 if the number of objects grew, or if asyncio logged a warning.
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

ROUND = 30.0  # seconds under load; afterwards, the pools are closed and leaks are counted
TOKEN_LIFE = 2  # seconds
KEY_LIFE = 60.0  # seconds
CLOSING_TIME = 15.0  # seconds within which sockets and tasks must end
LONGEST_PAUSE = 0.5  # seconds between two faults
OUTAGE = 60.0  # seconds
OUTAGE_EVERY = 10  # rounds
WARM_UP = 3  # rounds at the start that are not compared
GROWTH = 1.03  # the highest allowed ratio of the object counts in the two halves of a run


@dataclass
class Tally:
    """The counts of a run."""

    rounds: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    queries: int = 0
    alone: int = 0  # queries over a single connection, outside the pool
    recoveries: dict[str, float] = field(default_factory=dict)  # the longest recovery from each fault, in seconds
    errors: Counter[str] = field(default_factory=Counter)
    logged: Counter[str] = field(default_factory=Counter)
    defects: list[str] = field(default_factory=list)
    sockets_left: int = 0
    tasks_left: int = 0
    memory: list[int] = field(default_factory=list)  # bytes
    objects: list[int] = field(default_factory=list)


class WarningCounter(logging.Handler):
    """Counts log records. Drivers and pools log failed attempts. A warning of asyncio is a defect."""

    def __init__(self, tally: Tally) -> None:
        super().__init__(logging.WARNING)
        self._tally = tally

    def emit(self, record: logging.LogRecord) -> None:
        """Count a record."""
        self._tally.logged[record.name] += 1
        if record.name == "asyncio":
            self._tally.defects.append(f"round {self._tally.rounds}: asyncio: {record.getMessage()}")


class Keys:
    """Credentials of a server's account. They are replaced after half of their lifetime."""

    def __init__(self, place: Site) -> None:
        self._account = place.emulator.account
        self._failing = False
        self._renew()

    def _renew(self) -> None:
        self._key = self._account.create_access_key(session=True)
        self._until = time.time() + KEY_LIFE

    async def __call__(self) -> Credentials:
        """Return the current credentials. Pass this object as ``credentials=``."""
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
        """Fault: the key is revoked, and a new key is available."""
        self._account.revoke(self._key.access_key)
        self._renew()
        place.emulator.cut_connections()
        await asyncio.sleep(LASTS)

    async def revoked_and_down(self, place: Site) -> None:
        """Fault: the key is revoked, and the credentials endpoint is down for a while."""
        self._failing = True
        try:
            await self.revoked(place)
        finally:
            self._failing = False


async def soak(sites: list[Site], seconds: float, seed: int, tally: Tally) -> PluginManager:
    """Run rounds until the time is over."""
    generator = random.Random(seed)
    end = time.monotonic() + seconds
    keys = {place.driver: Keys(place) for place in sites}
    async with PluginManager(iam_token_expiration=TOKEN_LIFE) as manager:
        for place in sites:  # import modules and create TLS contexts before sockets are counted
            async with place.connect(manager, credentials=keys[place.driver]):
                pass
        await wait_until_closed(sites, None, tally)
        before = sockets()
        while time.monotonic() < end:
            tally.rounds += 1
            try:
                await run_round(sites, manager, keys, min(end, time.monotonic() + ROUND), generator, tally)
            except (AssertionError, TimeoutError, ExceptionGroup) as error:
                tally.defects.append(f"round {tally.rounds}: {type(error).__name__}: {error}")
            for place in sites:
                place.heal()
            await wait_until_closed(sites, before, tally)
            gc.collect()
            tally.memory.append(resident_memory())
            tally.objects.append(len(gc.get_objects()))
    if has_grown(tally.objects):
        tally.defects.append("objects grew in number")
    return manager


async def run_round(
    sites: list[Site],
    manager: PluginManager,
    keys: dict[str, Keys],
    end: float,
    generator: random.Random,
    tally: Tally,
) -> None:
    """Open the pools, inject faults, close the pools, and count the results."""
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
                    group.create_task(inject_faults(place, load, faults, end, generator, tally))
    finally:
        for load in loads:
            tally.queries += len(load.answered)
            tally.alone += load.alone
            tally.errors += load.errors


async def refused_for_a_minute(place: Site) -> None:
    """Fault: the server refuses valid tokens for longer than any timeout of a caller."""
    await tokens_rejected(place, seconds=OUTAGE)


async def inject_faults(
    place: Site, load: Load, faults: list[Fault], end: float, generator: random.Random, tally: Tally
) -> None:
    """Inject one fault after the other, and wait for the pool's full size after each of them."""
    while time.monotonic() < end:
        fault = generator.choice(faults)
        name = fault.__name__
        tally.faults[name] += 1
        await fault(place)
        start = time.monotonic()
        try:
            await load.at_full_size()
        except TimeoutError:
            tally.defects.append(f"round {tally.rounds}: {place.driver} was not at full size after {name}")
        tally.recoveries[name] = max(tally.recoveries.get(name, 0.0), time.monotonic() - start)
        await asyncio.sleep(generator.uniform(0, LONGEST_PAUSE))


async def wait_until_closed(sites: list[Site], expected: int | None, tally: Tally) -> None:
    """Wait until all connections and tasks have ended and only the expected number of sockets is open.

    If that takes longer than ``CLOSING_TIME``, count the remaining sockets and tasks as leaks.
    """
    end = time.monotonic() + CLOSING_TIME
    current = asyncio.current_task()
    while time.monotonic() < end:
        left = asyncio.all_tasks() - {current}
        open_now = sum(place.proxy.connections + place.emulator.connections for place in sites)
        if not left and not open_now and (expected is None or sockets() <= expected):
            break
        await asyncio.sleep(0.02)
    else:
        tally.sockets_left += max(0, sockets() - (expected or 0))
        tally.tasks_left += len(asyncio.all_tasks()) - 1
    await asyncio.sleep(0.1)


def resident_memory() -> int:
    """Return the resident memory of this process in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def has_grown(objects: list[int]) -> bool:
    """Return whether there are more objects in the second half of a run than in the first half.

    The memory of the process is not a criterion. The threads of proxies and emulators have their own malloc arenas,
    which grow for a long time. With ``MALLOC_ARENA_MAX=1``, they do not grow.
    """
    rounds = objects[WARM_UP:]
    half = len(rounds) // 2
    return half > 0 and statistics.median(rounds[-half:]) > GROWTH * statistics.median(rounds[:half])


def table(tally: Tally, manager: PluginManager, *, command: str) -> str:
    """Return the counts as a table."""
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
        f"queries answered       {tally.queries}, {tally.alone} of them outside the pool",
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
    """Read the command line, run the benchmark and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**16))
    parser.add_argument("--loop", choices=LOOPS, default="asyncio")
    arguments = parser.parse_args()
    command = (
        f"python -m benchmarks.soak --minutes {arguments.minutes:g} --seed {arguments.seed} --loop {arguments.loop}"
    )
    print(command, flush=True)
    tally = Tally()
    logging.getLogger().addHandler(WarningCounter(tally))
    with contextlib.ExitStack() as stack:
        sites = [stack.enter_context(site(driver, seed=arguments.seed)) for driver in SERVERS]
        with asyncio.Runner(loop_factory=LOOPS[arguments.loop]) as runner:
            manager = runner.run(soak(sites, arguments.minutes * 60, arguments.seed, tally))
    print(table(tally, manager, command=command))
    return 1 if tally.defects or tally.sockets_left or tally.tasks_left else 0


if __name__ == "__main__":
    sys.exit(main())
