"""Whatever a test does to the clock, before or after the import, this package reads the same time as its plugins."""

import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta

import freezegun
import pytest
import time_machine

from aws_iam_async import Credentials, RdsTokenProvider, Token
from aws_iam_async.testing import Emulator
from tests.login.conftest import Rds

HOST = "shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com"
PAST, FUTURE = datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC), datetime(2037, 3, 4, 5, 6, 7, tzinfo=UTC)


@contextmanager
def freeze(moment: datetime) -> Iterator[None]:
    with freezegun.freeze_time(moment, real_asyncio=True):
        yield


@contextmanager
def freeze_asyncio(moment: datetime) -> Iterator[None]:
    """The clock of timeouts stands still, too."""
    with freezegun.freeze_time(moment):
        yield


@contextmanager
def travel(moment: datetime) -> Iterator[None]:
    with time_machine.travel(moment, tick=False):
        yield


Clock = Callable[[datetime], AbstractContextManager[None]]
clocks = pytest.mark.parametrize("clock", [freeze, freeze_asyncio, travel])
moments = pytest.mark.parametrize("moment", [PAST, FUTURE], ids=["past", "future"])


async def load() -> Credentials:
    return Credentials("ASIAEXAMPLE", "x", "y", datetime.now(UTC) + timedelta(hours=1))


async def ask(provider: RdsTokenProvider) -> Token:
    return await provider.get_token(host=HOST, port=5432, user="app")


@clocks
@moments
async def test_a_callable_that_reads_the_clock(clock: Clock, moment: datetime) -> None:
    provider = RdsTokenProvider(credentials=load)  # made before the clock is set
    with clock(moment):
        token = await ask(provider)
        assert token.issued_at == moment
        assert await ask(provider) is token
        assert provider.statistics().next_credentials_expiry is not None
    later = await ask(provider)
    assert abs(later.issued_at.timestamp() - time.time()) < 60


@clocks
@moments
async def test_a_provider_made_while_the_clock_is_set(clock: Clock, moment: datetime) -> None:
    with clock(moment):
        provider = RdsTokenProvider(credentials=load)
        assert (await ask(provider)).issued_at == moment
    assert abs((await ask(provider)).issued_at.timestamp() - time.time()) < 60


@clocks
async def test_the_emulator_has_the_same_clock(clock: Clock, rds: Rds) -> None:
    with clock(PAST):
        async with rds.connect():
            pass
    assert [login.accepted for login in rds.emulator.logins] == [True]


@clocks
def test_an_emulator_made_or_reset_while_the_clock_is_set(clock: Clock, rds_postgres: Emulator) -> None:
    with clock(PAST):
        emulator = Emulator(rds_postgres.upstream)
        rds_postgres.reset()
        assert emulator.clock() == rds_postgres.clock() == PAST.timestamp()
    for each in (emulator, rds_postgres):
        assert abs(each.clock() - time.time()) < 60


def test_imported_while_the_clock_is_frozen() -> None:
    program = """
        import asyncio, time
        from datetime import UTC, datetime, timedelta
        import freezegun

        with freezegun.freeze_time("2021-03-04 05:06:07", real_asyncio=True):
            import aws_iam_async

            async def load():
                return aws_iam_async.Credentials("ASIAEXAMPLE", "x", "y", datetime.now(UTC) + timedelta(hours=1))

            async def ask():
                provider = aws_iam_async.RdsTokenProvider(credentials=load)
                return await provider.get_token(host=HOST, port=5432, user="app")

            frozen = asyncio.run(ask())
        thawed = asyncio.run(ask())
        assert frozen.issued_at.isoformat() == "2021-03-04T05:06:07+00:00", frozen
        assert abs(thawed.issued_at.timestamp() - time.time()) < 60, thawed
    """
    program = textwrap.dedent(program).replace("HOST", repr(HOST))
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
