"""What a token of Aurora DSQL for a new user costs, and how long it holds the event loop.

The official connector makes one for each connection, on the loop, before it calls ``asyncpg.connect``. Only that part
is measured. Credentials are in the environment, and what both import is imported before.
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
CALLS = 2  # the connector takes some milliseconds
HOLDS = 40
HOST = "foo0bar1baz2quux3quuux4abc.dsql.us-east-1.on.aws"
CONNECTOR = "Aurora DSQL connector"
LONGEST_STALL = 20.0


def measure() -> list[Line]:
    """Measure."""
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
    holds: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(HOLDS):
        for name in random.sample(list(subjects), len(subjects)):
            async with heartbeat.felt() as late:
                await subjects[name]()
            holds[name].append(max(late) * 1e3)
    held = {name: Spread.of(several) for name, several in holds.items()}
    in_ms = {name: Spread(one.median / 1e3, one.low / 1e3, one.high / 1e3) for name, one in spreads.items()}
    targets = [Target("of the connector's", spreads[OURS].median / spreads[CONNECTOR].median, 0.1)]
    return [
        Line("DSQL token for a new user", "ms", in_ms, targets),
        Line(
            "DSQL token for a new user: the loop",
            "ms held at most",
            held,
            [Target("ms, this package", held[OURS].median, LONGEST_STALL)],
        ),
    ]
