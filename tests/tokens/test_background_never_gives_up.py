"""``refresh="background"``: a source that fails is read again, ever more slowly, until ``aclose()``."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest

from aws_iam_async import Credentials, CredentialsError
from aws_iam_async.tokens.service import TokenService
from aws_iam_async.tokens.token import TokenKey
from benchmarks.virtual_loop import VirtualLoop
from tests.tokens.conftest import START
from tests.tokens.keys import make_key

HOUR = 3600.0
DAY = 24 * HOUR


def wall_clock() -> float:
    return START + asyncio.get_running_loop().time()


class Source:
    """Fails from one moment to another, and notes when it is read.

    Attributes:
        life: Seconds for which its credentials work, ``None`` for ever.
        reads: When it was read, in seconds since the start.
    """

    def __init__(self, *, down_from: float, down_until: float, life: float | None = HOUR) -> None:
        self.down_from, self.down_until, self.life = down_from, down_until, life
        self.reads: list[float] = []

    async def load(self) -> Credentials:
        now = asyncio.get_running_loop().time()
        self.reads.append(now)
        if self.down_from <= now < self.down_until:
            raise OSError("endpoint is down")
        expires = None if self.life is None else datetime.fromtimestamp(wall_clock() + self.life, UTC)
        return Credentials("ASIA", "x", "y", expires)

    def most_in(self, seconds: float) -> int:
        return max(sum(start <= read < start + seconds for read in self.reads) for start in self.reads)


def service_for(source: Source, expiration: int = 900, draw: float = 0.5) -> tuple[TokenService, TokenKey]:
    service = TokenService(refresh="background", clock=wall_clock, random=lambda: draw)
    return service, make_key(load=source.load, expiration=expiration)


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())


async def does_not_wait(service: TokenService, key: TokenKey) -> None:
    waits = service.statistics().waits
    await service.get(key)
    assert service.statistics().waits == waits, "waited"


expirations = pytest.mark.parametrize("expiration", [900, 60, 0])
lives = pytest.mark.parametrize("life", [20.0, 600.0, HOUR])


@expirations
@lives
def test_an_outage_that_outlasts_the_credentials(life: float, expiration: int) -> None:
    async def main() -> None:
        source = Source(down_from=1, down_until=6 * HOUR, life=life)
        service, key = service_for(source, expiration)
        await service.get(key)
        await asyncio.sleep(6 * HOUR + 700)  # the longest delay between two tries is ten minutes
        await does_not_wait(service, key)
        assert source.most_in(60) <= 12
        assert source.most_in(HOUR) <= 30
        await service.aclose()

    run(main)


@expirations
def test_delays_grow_after_the_expiry(expiration: int) -> None:
    async def main() -> None:
        source = Source(down_from=1, down_until=DAY)
        service, key = service_for(source, expiration)
        await service.get(key)
        await asyncio.sleep(DAY)
        late = [read for read in source.reads if read > HOUR]
        delays = [after - before for before, after in itertools.pairwise(late)]
        assert delays == sorted(delays)
        assert delays[-1] == 600
        await service.aclose()

    run(main)


@expirations
@pytest.mark.parametrize("pause", [0.2, 5.0, 300.0])
def test_callers_during_the_outage_make_no_storm_and_end_nothing(pause: float, expiration: int) -> None:
    async def main() -> None:
        source = Source(down_from=1, down_until=3 * HOUR)
        service, key = service_for(source, expiration)
        await service.get(key)
        calls = 0
        while asyncio.get_running_loop().time() < HOUR + 1800:  # the credentials expire on the way
            await asyncio.sleep(pause)
            calls += 1
            try:
                await service.get(key)
            except CredentialsError:
                continue
        by_callers = sum(HOUR <= read < HOUR + 1800 + pause for read in source.reads)
        assert by_callers <= 1800 / pause + 31
        before = len(source.reads)
        await asyncio.sleep(2 * HOUR)
        await does_not_wait(service, key)
        assert len(source.reads) - before <= 20
        await service.aclose()

    run(main)


@expirations
@pytest.mark.parametrize("life", [HOUR, None])
def test_a_first_read_that_fails(expiration: int, life: float | None) -> None:
    async def main() -> None:
        source = Source(down_from=0, down_until=2 * HOUR, life=life)
        service, key = service_for(source, expiration)
        with pytest.raises(CredentialsError):
            await service.get(key)
        await asyncio.sleep(2 * HOUR + 700)
        await does_not_wait(service, key)
        assert source.most_in(60) <= 8
        await service.aclose()
        reads = len(source.reads)
        await asyncio.sleep(DAY)
        assert len(source.reads) == reads

    run(main)


@expirations
@pytest.mark.parametrize("given_at", [0.0, HOUR - 30, HOUR - 2])
def test_a_source_that_gives_the_same_credentials_again_and_again(given_at: float, expiration: int) -> None:
    async def main() -> None:
        reads: list[float] = []

        async def load() -> Credentials:
            reads.append(asyncio.get_running_loop().time())
            return Credentials("ASIA", "x", "y", datetime.fromtimestamp(START + HOUR, UTC))

        service = TokenService(refresh="background", clock=wall_clock, random=lambda: 0.5)
        await asyncio.sleep(given_at)
        await service.get(make_key(load=load, expiration=expiration))
        await asyncio.sleep(DAY)
        assert len(reads) <= 10 + DAY / 600 + 10
        assert max(later - earlier for earlier, later in itertools.pairwise(reads[-20:])) == 600
        await service.aclose()

    run(main)


@expirations
def test_a_source_that_hangs(expiration: int) -> None:
    async def main() -> None:
        reads = 0

        async def load() -> Credentials:
            nonlocal reads
            reads += 1
            if wall_clock() >= START + 1:
                await asyncio.Event().wait()
            return Credentials("ASIA", "x", "y", datetime.fromtimestamp(wall_clock() + HOUR, UTC))

        service = TokenService(refresh="background", clock=wall_clock, random=lambda: 0.5)
        await service.get(make_key(load=load, expiration=expiration))
        await asyncio.sleep(DAY)
        assert DAY / (600 + 60) - 5 <= reads <= DAY / (600 + 60) + 20
        await service.aclose()

    run(main)


@pytest.mark.parametrize("life", [0.1, 0.5, 1.0, 2.0])
def test_credentials_that_hardly_live(life: float) -> None:
    """They are renewed as they expire, and not faster than once a second."""

    async def main() -> None:
        source = Source(down_from=DAY, down_until=DAY, life=life)
        service, key = service_for(source)
        await service.get(key)
        await asyncio.sleep(600)
        assert source.most_in(60) <= 61
        await service.aclose()

    run(main)
