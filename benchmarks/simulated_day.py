"""Simulates a day of connections while the credentials endpoint is slow, and down for 10 minutes of every hour.

``python -m benchmarks.simulated_day`` prints the table of ``docs/tokens.md``. ``--draw`` writes the curves. The clock
is simulated, so that the program never sleeps.

This package is compared with a cache written by hand. That cache keeps tokens for 15 minutes, and uses the refreshable
credentials of aiobotocore. Both subjects open the same connections and use the same endpoint.
"""

import argparse
import asyncio
import functools
import logging
import math
import random
import statistics
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from aws_iam_async.credentials.credentials import Credentials
from aws_iam_async.credentials.source import credentials_source
from aws_iam_async.errors import AwsIamError
from aws_iam_async.tokens.service import TokenService
from aws_iam_async.tokens.token import TokenKey
from benchmarks import day_curves
from benchmarks.virtual_loop import VirtualLoop

if TYPE_CHECKING:
    from collections.abc import Callable

START = 1_800_000_000.0
HOUR = 3600
DAY = 24 * HOUR
FETCH = 2.0
OUTAGE = 600
OUTAGES_DRAWN = 300  # seconds into each hour: when the outages of the drawing begin, on a day near the median
CREDENTIALS_LIVE = HOUR
TOKENS_LIVE = 900
ENDPOINTS = 50
EVERY = 5
STORM = 1000
TIMEOUT = 60.0  # seconds: the timeout of a connection attempt, which is asyncpg's default
SEED = 7

Kind = Literal["on_use", "background", "by hand"]
KINDS: tuple[Kind, ...] = ("on_use", "background", "by hand")


def now() -> float:
    """Return the time of the wall clock."""
    return START + asyncio.get_running_loop().time()


def repeatable_random() -> "Callable[[], float]":
    """Return a random number generator that always produces the same sequence."""
    return random.Random(SEED).random


@dataclass
class Endpoint:
    """A credentials endpoint that takes 2 seconds to answer, and is down for 10 minutes of each hour.

    Its credentials are valid for 1 hour.

    Attributes:
        outage: The second of the hour at which it goes down.
        successes: The times of successful requests, in seconds since the start of the day.
        failures: The times of failed requests.
    """

    outage: float
    successes: list[float] = field(default_factory=list)
    failures: list[float] = field(default_factory=list)

    def is_down(self, at: float) -> bool:
        """Return whether the endpoint is down at a time, given in seconds since the start of the day."""
        return at >= self.outage and (at - self.outage) % HOUR < OUTAGE

    async def load(self) -> Credentials:
        """Return credentials, or raise an error during an outage."""
        at = now() - START
        await asyncio.sleep(FETCH)
        if self.is_down(at):
            self.failures.append(at)
            raise OSError("endpoint is down")
        self.successes.append(at)
        return Credentials("ASIA", "x", "y", datetime.fromtimestamp(now() + CREDENTIALS_LIVE, UTC))


class Client(ABC):
    """A client that opens the connections of a day."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    @abstractmethod
    async def log_in(self, user: str) -> bool:
        """Get a token, and return whether a server would accept it."""

    async def close(self) -> None:  # noqa: B027 - the cache written by hand has nothing to close
        """Stop background tasks."""


class ThisPackage(Client):
    """The ``TokenService`` that every ``connect()`` of this package uses."""

    def __init__(self, endpoint: Endpoint, refresh: Literal["on_use", "background"]) -> None:
        super().__init__(endpoint)
        self._service = TokenService(refresh=refresh, clock=now, random=repeatable_random())
        self._source = credentials_source(credentials=endpoint.load)

    async def log_in(self, user: str) -> bool:
        """Get a token through the cache."""
        key = TokenKey("db.example", 5432, user, "us-east-1", self._source, TOKENS_LIVE)
        token, _ = await self._service.get(key)
        snapshot = await self._service.credentials(self._source)
        return now() < min(token.issued_at.timestamp() + 900, snapshot.expires or math.inf)

    async def close(self) -> None:
        """Stop the timers."""
        await self._service.aclose()


class ByHand(Client):
    """A dictionary of tokens with a time to live, in front of aiobotocore's refreshable credentials."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self._credentials: Any = None
        self._tokens: dict[str, tuple[float, datetime]] = {}

    async def log_in(self, user: str) -> bool:
        """Take the token from the dictionary, or sign one."""
        issued, works_until = self._tokens.get(user, (-math.inf, None))
        if works_until is None or now() >= issued + TOKENS_LIVE:
            works_until = await self._freeze()
            issued = now()
            self._tokens[user] = (issued, works_until)
        return now() < min(issued + 900, works_until.timestamp())

    async def _freeze(self) -> datetime:
        from aiobotocore.credentials import AioRefreshableCredentials  # noqa: PLC0415 - the import takes 0.3 s

        if self._credentials is None:
            first = await self.endpoint.load()
            self._credentials = AioRefreshableCredentials(
                first.access_key,
                first.secret_key,
                first.session_token,
                first.expires_at,
                self._metadata,
                "simulated",
                time_fetcher=lambda: datetime.fromtimestamp(now(), UTC),
            )
        await self._credentials.get_frozen_credentials()
        expires_at: datetime = self._credentials._expiry_time  # noqa: SLF001 - botocore has no public name for it
        return expires_at

    async def _metadata(self) -> dict[str, str]:
        loaded = await self.endpoint.load()
        return {
            "access_key": loaded.access_key,
            "secret_key": loaded.secret_key,
            "token": "y",
            "expiry_time": loaded.expires_at.isoformat() if loaded.expires_at else "",
        }


@dataclass
class Result:
    """The result of a day, without the first connection of each user. Times are in seconds since the start of the day.

    Attributes:
        endpoint: The credentials endpoint of the day.
        connects: The number of connections.
        waits: The start times of connections that waited for AWS.
        waited: The seconds that these connections waited in total.
        failures: The start times of connections that got no token, or a token that a server refuses.
    """

    endpoint: Endpoint
    connects: int = 0
    waits: list[float] = field(default_factory=list)
    waited: float = 0.0
    failures: list[float] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """The number of requests to the endpoint, including failed requests."""
        return len(self.endpoint.successes) + len(self.endpoint.failures)


@functools.cache
def simulate(kind: Kind, outage: float) -> Result:
    """Simulate a day.

    Args:
        kind: The subject.
        outage: The second of the hour at which the endpoint goes down.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_day(kind, outage))


async def _day(kind: Kind, outage: float) -> Result:
    endpoint = Endpoint(outage)
    client = ByHand(endpoint) if kind == "by hand" else ThisPackage(endpoint, kind)
    result = Result(endpoint)
    users = [str(number) for number in range(ENDPOINTS)]
    for user in users:
        await client.log_in(user)
    draw = repeatable_random()
    async with asyncio.TaskGroup() as connects:
        while now() < START + DAY:
            await asyncio.sleep(EVERY)
            storm = now() % HOUR < EVERY
            for _ in range(STORM if storm else 1):
                connects.create_task(_connect(client, users[int(draw() * ENDPOINTS)], result))
    await client.close()
    return result


async def _connect(client: Client, user: str, result: Result) -> None:
    start = now()
    result.connects += 1
    try:
        async with asyncio.timeout(TIMEOUT):
            accepted = await client.log_in(user)
    except (AwsIamError, OSError):  # a TimeoutError is an OSError
        accepted = False
    if now() > start:
        result.waits.append(start - START)
        result.waited += now() - start
    if not accepted:
        result.failures.append(start - START)


def least_requests(outage: float) -> int:
    """Return the minimum number of requests with which no connection waits, if outages are not known in advance.

    An outage can begin at any moment. Therefore, a client must request credentials 10 minutes and two fetches before
    the previous ones expire. No request fails in this count: a request during an outage moves to just before it.
    """
    return _count(outage, CREDENTIALS_LIVE - OUTAGE - FETCH)


def least_requests_with_foresight(outage: float) -> int:
    """Return the minimum number of requests with which no connection waits, if all outages are known in advance."""
    return _count(outage, CREDENTIALS_LIVE)


def _count(outage: float, interval: float) -> int:
    endpoint, requests, request_time = Endpoint(outage), 1, 0.0
    while (request_time := request_time + interval) < DAY:
        requests += 1
        if endpoint.is_down(request_time):
            request_time -= (request_time - outage) % HOUR + FETCH
    return requests


def main() -> None:
    """Print the table. With ``--draw``, also write the curves."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulated_day", description=__doc__)
    parser.add_argument("--draw", metavar="FILE", help="write the curves of one day as SVG")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)  # each failed request logs a warning
    if arguments.draw:
        Path(arguments.draw).write_text(curves(), encoding="utf-8")
    print("\n".join(table()))


def curves() -> str:
    """Return a drawing of one day. It shows connections that waited or failed, and requests to the endpoint."""
    days = {kind: simulate(kind, OUTAGES_DRAWN) for kind in KINDS}
    panels: dict[str, day_curves.Curves] = {
        "Connections that waited or failed, so far": {kind: _troubled(day) for kind, day in days.items()},
        "Requests to AWS for credentials, so far": {
            kind: sorted([*day.endpoint.successes, *day.endpoint.failures]) for kind, day in days.items()
        },
    }
    return day_curves.draw(panels, [range(at, at + OUTAGE) for at in range(OUTAGES_DRAWN, DAY, HOUR)])


def _troubled(day: Result) -> list[float]:
    """Return the start times of connections that waited or failed. A connection that did both is counted once."""
    waits, failures = list(day.waits), list(day.failures)
    for moment in waits:
        if moment in failures:
            failures.remove(moment)
    return sorted([*waits, *failures])


def table() -> list[str]:
    """Return the lines of the table: median (minimum to maximum) for outages at six different times of the hour."""
    outages = range(300, HOUR, 600)
    days: dict[str, list[Result]] = {kind: [simulate(kind, outage) for outage in outages] for kind in KINDS}
    names = {"on_use": '`refresh="on_use"`', "background": '`refresh="background"`', "by hand": "by hand"}
    lines: list[tuple[str, Callable[[Result], float]]] = [
        ("connections", lambda day: day.connects),
        ("that waited for AWS", lambda day: len(day.waits)),
        ("seconds waited in total", lambda day: day.waited),
        ("that failed", lambda day: len(day.failures)),
        ("credentials requests", lambda day: day.requests),
        ("failed credentials requests", lambda day: len(day.endpoint.failures)),
    ]
    rows = [f"| | {' | '.join(names[kind] for kind in KINDS)} |", "| --- | --- | --- | --- |"]
    rows += [f"| {name} | {' | '.join(_spread(map(get, days[kind])) for kind in KINDS)} |" for name, get in lines]
    least, foresight = (_spread(map(count, outages)) for count in (least_requests, least_requests_with_foresight))
    return [*rows, "", f"Least possible requests: {least}; if outages are known in advance: {foresight}."]


def _spread(values: "map[float]") -> str:
    ordered = sorted(values)
    if ordered[0] == ordered[-1]:
        return f"{ordered[0]:,.0f}"
    return f"{statistics.median(ordered):,.0f} ({ordered[0]:,.0f} to {ordered[-1]:,.0f})"


if __name__ == "__main__":
    main()
