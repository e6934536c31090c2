"""A day of simulated time in which the credentials endpoint is down for ten minutes of every hour."""

import asyncio
import random
from datetime import UTC, datetime

import pytest

from aws_iam_async.credentials.credentials import Credentials
from aws_iam_async.credentials.source import source
from aws_iam_async.tokens.service import Refresh, TokenService
from tests.tokens.conftest import START, make_key
from tests.tokens.virtual_loop import VirtualLoop

DAY = 24 * 3600
HOUR = 3600
FETCH = 2.0
OUTAGE = 600


class Endpoint:
    """Gives credentials for an hour, takes two seconds for it, and is down when an outage has begun."""

    def __init__(self, first_outage: float) -> None:
        self.first_outage = first_outage
        self.answers = 0

    async def load(self) -> Credentials:
        await asyncio.sleep(FETCH)
        since = wall_clock() - START - self.first_outage
        if since > 0 and since % HOUR < OUTAGE:
            raise OSError("endpoint is down")
        self.answers += 1
        return Credentials("AKIA", "x", "y", datetime.fromtimestamp(wall_clock() + HOUR, UTC))


def wall_clock() -> float:
    return START + asyncio.get_running_loop().time()


@pytest.mark.parametrize("first_outage", [900, 2700, 2940])  # the last: as the first credentials want to be renewed
@pytest.mark.parametrize("refresh", ["on_use", "background"])
def test_nobody_waits_and_nothing_fails(refresh: Refresh, first_outage: float) -> None:
    async def main() -> None:
        endpoint = Endpoint(first_outage)
        service = TokenService(refresh=refresh, clock=wall_clock, random=random.Random(7).random)
        draw = random.Random(8)
        keys = [make_key(str(user))._replace(source=source(credentials=endpoint.load)) for user in range(50)]
        await asyncio.gather(*(service.get(key) for key in keys))
        warm = service.statistics()
        while wall_clock() < START + DAY:
            await asyncio.sleep(5)
            storm = 1000 if wall_clock() % HOUR < 5 else 1
            for token, _ in await asyncio.gather(*(service.get(draw.choice(keys)) for _ in range(storm))):
                assert token.issued_at.timestamp() + 900 > wall_clock()
        assert service.statistics().waits == warm.waits
        assert endpoint.answers <= (DAY / HOUR + 1) * 1.2
        await service.aclose()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())
