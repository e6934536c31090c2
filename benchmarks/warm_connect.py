"""Measures the time that a connection with a cached token takes on top of the bare driver call, and that of a plugin.

The network is left out. ``python -m benchmarks.warm_connect`` prints a profile of the functions.
"""

import asyncio
import contextlib
import cProfile
import os
import pstats
from typing import Any

from async_lru import alru_cache

import aws_iam_async
from aws_iam_async import drivers
from benchmarks import interleaved, pace, peers, stubbed_driver
from benchmarks.line import Line, Spread, Target

TURNS = 600
TURNS_OF_A_CLIENT_EACH = 20  # few, because one call takes about 100 ms
BARE = "bare driver call"
OURS = "this package"
WRAPPER = "AWS wrapper"
KEY = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "example"}


class NoOpPlugin:
    """A plugin that does nothing."""

    async def connect(self, request: aws_iam_async.ConnectRequest, call_next: aws_iam_async.ConnectNext) -> Any:
        """Call the next plugin."""
        return await call_next(request)


@alru_cache
async def cached_token(_host: str, _port: int, _user: str, _region: str) -> str:
    """Return a token from a cache that never expires."""
    return "token"


async def with_async_lru() -> Any:
    """Connect with a token from the cache of async-lru."""
    return await stubbed_driver.connect(
        password=await cached_token(stubbed_driver.HOST, 5432, "app", stubbed_driver.REGION)
    )


def measure() -> list[Line]:
    """Run the benchmark."""
    os.environ |= KEY
    return asyncio.run(_measure())


async def _measure() -> list[Line]:
    await drivers.load("asyncpg")
    dsn, keywords = stubbed_driver.DSN, stubbed_driver.KEYWORDS
    bare = {**keywords, "port": 5432, "password": "token", "ssl": None}
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(stubbed_driver.stubbed())
        manager = aws_iam_async.PluginManager
        none, ten = manager(""), manager([NoOpPlugin() for _ in range(10)])
        client = await stack.enter_async_context(peers.rds_client())
        warm: interleaved.Subjects = {
            BARE: lambda: stubbed_driver.connect(**bare),
            "async-lru": with_async_lru,
            OURS: lambda: aws_iam_async.connect(**keywords),
            f"{OURS}, DSN": lambda: aws_iam_async.connect(dsn),
            WRAPPER: peers.aws_wrapper(),
            "aiobotocore, one client": lambda: peers.by_hand(client),
            "Cloud SQL connector": await stack.enter_async_context(peers.cloud_sql()),
        }
        client_each: interleaved.Subjects = {
            BARE: warm[BARE],
            OURS: warm[OURS],
            "aiobotocore, a client each": peers.by_hand_with_a_client_each,
        }
        pipeline: interleaved.Subjects = {
            BARE: lambda: stubbed_driver.connect(**bare),
            f"{OURS}, no plugin": lambda: none.connect(**keywords),
            f"{OURS}, 10 plugins": lambda: ten.connect(**keywords),
            f"{WRAPPER}, no plugin": peers.aws_wrapper(""),
        }
        for subject in (*warm.values(), *client_each.values(), *pipeline.values()):
            await subject()
        # Measure both in the same turns, because the machine's speed may change.
        spreads = await interleaved.measure(warm | pipeline, turns=TURNS)
        clients = await interleaved.measure(client_each, turns=TURNS_OF_A_CLIENT_EACH, calls=1)
    connects, plugins = ({name: spreads[name] for name in subjects} for subjects in (warm, pipeline))
    slower = pace.by_warm_connect(_over_bare(connects)[WRAPPER])
    return [_warm_line(connects, slower), _client_each_line(clients), _plugins_line(plugins, slower)]


def _over_bare(spreads: dict[str, Spread]) -> dict[str, Spread]:
    bare = spreads[BARE].median
    return {
        name: Spread(spread.median - bare, spread.low - bare, spread.high - bare)
        for name, spread in spreads.items()
        if name != BARE
    }


def _warm_line(connects: dict[str, Spread], slower: float) -> Line:
    over = _over_bare(connects)
    ours = over[OURS].median
    targets = [
        Target(f"µs over the bare call, {pace.AT_PACE}", ours / slower, 20),
        Target("of the AWS wrapper's", ours / over[WRAPPER].median, 0.25),
        Target("DSN form, of the keyword form", connects[f"{OURS}, DSN"].median / connects[OURS].median, 1.3),
    ]
    return Line("warm connect", "µs over the bare driver call", over, targets)


def _client_each_line(connects: dict[str, Spread]) -> Line:
    """Return a separate line. In a common chart, this bar would make the others invisible."""
    over = {
        name: Spread(spread.median / 1e3, spread.low / 1e3, spread.high / 1e3)
        for name, spread in _over_bare(connects).items()
    }
    return Line("warm connect: a client each", "ms over the bare driver call", over)


def _plugins_line(connects: dict[str, Spread], slower: float) -> Line:
    over = _over_bare(connects)
    none, ten = over[f"{OURS}, no plugin"].median, over[f"{OURS}, 10 plugins"].median
    targets = [Target(f"µs a plugin, {pace.AT_PACE}", (ten - none) / 10 / slower, 0.5)]
    targets.append(Target(f"µs without a plugin, {pace.AT_PACE}", none / slower, 20))
    return Line("plugins", "µs over the bare driver call", over, targets)


async def _profile() -> None:
    await drivers.load("asyncpg")
    with stubbed_driver.stubbed():
        for form, options in (("keywords", stubbed_driver.KEYWORDS), ("DSN", {"dsn": stubbed_driver.DSN})):
            await aws_iam_async.connect(**options)
            profiler = cProfile.Profile()
            with profiler:
                for _ in range(20_000):
                    await aws_iam_async.connect(**options)
            print(f"--- {form}, 20000 calls, by own time")
            pstats.Stats(profiler).strip_dirs().sort_stats("tottime").print_stats(30)


if __name__ == "__main__":
    os.environ |= KEY
    asyncio.run(_profile())
