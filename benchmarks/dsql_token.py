"""Measures the time of signing an Aurora DSQL token for a new user, and how long that blocks the event loop.

The official connector signs a token on the event loop for each connection, before it calls ``asyncpg.connect``. Only
that part is measured. The credentials are in the environment, and all modules are imported before.
"""

import asyncio
import itertools
import os
import random

from aws_iam_async import DsqlTokenProvider
from benchmarks import heartbeat, interleaved, peers
from benchmarks.line import Line, Spread, Target
from benchmarks.warm_connect import KEY, OURS

TURNS = 100
CALLS = 2  # few, because one call of the connector takes several milliseconds
STALL_TURNS = 40
HOST = "foo0bar1baz2quux3quuux4abc.dsql.us-east-1.on.aws"
CONNECTOR = "Aurora DSQL connector"
LONGEST_STALL = 20.0


def measure() -> list[Line]:
    """Run the benchmark."""
    os.environ |= KEY
    return asyncio.run(_measure())


async def _measure() -> list[Line]:
    users = itertools.count()
    provider = DsqlTokenProvider()
    official = peers.dsql_connector_token(HOST)

    async def ours() -> None:
        await provider.get_token(host=HOST, user=f"user{next(users)}")

    async def connector() -> None:
        official(f"user{next(users)}")

    subjects: interleaved.Subjects = {OURS: ours, CONNECTOR: connector}
    for subject in subjects.values():
        await subject()
    spreads = await interleaved.measure(subjects, turns=TURNS, calls=CALLS)
    stalls: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(STALL_TURNS):
        for name in random.sample(list(subjects), len(subjects)):
            async with heartbeat.delays() as late:
                await subjects[name]()
            stalls[name].append(max(late) * 1e3)
    stall_spreads = {name: Spread.of(several) for name, several in stalls.items()}
    in_ms = {name: Spread(us.median / 1e3, us.low / 1e3, us.high / 1e3) for name, us in spreads.items()}
    targets = [Target("of the connector's", spreads[OURS].median / spreads[CONNECTOR].median, 0.1)]
    return [
        Line("DSQL token for a new user", "ms", in_ms, targets),
        Line(
            "DSQL token for a new user: the loop",
            "ms held at most",
            stall_spreads,
            [Target("ms, this package", stall_spreads[OURS].median, LONGEST_STALL)],
        ),
    ]
