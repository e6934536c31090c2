"""Credentials are read once, again before they expire, and again after a rejection. They are used until they expire."""

import asyncio
import gc
import logging
import math
import weakref
from datetime import UTC, datetime

import pytest

from aws_iam_async import Credentials, CredentialsError, Token
from aws_iam_async.credentials.cache import with_first_expiry
from aws_iam_async.credentials.credentials import Snapshot
from aws_iam_async.credentials.source import CredentialsSource, credentials_source
from aws_iam_async.refresh_ahead import renewal_times
from aws_iam_async.tokens.service import TokenService
from tests.tokens.keys import make_key

START = 1_800_000_000.0
HOUR = 3600.0


class Vault:
    """A source that tests rotate, hold back and break."""

    def __init__(self) -> None:
        self.now = START
        self.reads = 0
        self.life: float | None = HOUR
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.service = TokenService(clock=lambda: self.now, random=lambda: 0.0)
        self.source: CredentialsSource = credentials_source(credentials=self.load)

    async def load(self) -> Credentials:
        self.reads += 1
        number = self.reads
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        expires = None if self.life is None else datetime.fromtimestamp(self.now + self.life, UTC)
        return Credentials(f"AKIA{number}", "SECRET-KEY-MARK", "x", expires)

    async def get(self) -> str:
        return (await self.service.credentials(self.source)).credentials.access_key

    async def token(self) -> Token:
        return (await self.service.get(make_key(signer=self.source)))[0]

    def reject(self, token: Token) -> None:
        self.service.reject(make_key(signer=self.source), token)


@pytest.fixture
async def vault() -> Vault:
    await TokenService().credentials(Vault().source)  # what is imported for the first ones takes its time
    return Vault()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_read_once_for_everyone(vault: Vault) -> None:
    assert await asyncio.gather(*(vault.get() for _ in range(100))) == ["AKIA1"] * 100
    assert await vault.get() == "AKIA1"
    assert (vault.reads, vault.service.statistics().credentials_loads) == (1, 1)


async def test_read_again_ahead_of_expiry_without_a_wait(vault: Vault) -> None:
    await vault.get()
    vault.now += HOUR - 701
    assert await vault.get() == "AKIA1"
    await settle()
    assert vault.reads == 1
    vault.now += 2
    vault.gate.clear()
    assert await asyncio.gather(*(vault.get() for _ in range(20))) == ["AKIA1"] * 20
    await settle()
    vault.gate.set()
    await settle()
    assert await vault.get() == "AKIA2"
    assert vault.reads == 2


async def test_used_to_their_end_while_the_source_fails(vault: Vault, caplog: pytest.LogCaptureFixture) -> None:
    await vault.get()
    vault.error = OSError("the vault is closed")
    vault.now += HOUR - 590
    with caplog.at_level(logging.DEBUG):
        while vault.now < START + HOUR:
            assert await vault.get() == "AKIA1"
            await settle()
            vault.now += 1
    assert vault.reads == 8  # with 590 s left, with 144, and then each time three fifths of that are gone
    assert vault.service.statistics().credentials_failures == vault.reads - 1
    assert "could not be read again" in caplog.text
    assert "MARK" not in caplog.text
    with pytest.raises(CredentialsError):
        await vault.get()
    vault.error = None
    assert (await vault.get()).startswith("AKIA")


async def test_expired_credentials_are_waited_for(vault: Vault) -> None:
    await vault.get()
    vault.now += HOUR
    assert await vault.get() == "AKIA2"


async def test_credentials_that_come_expired_are_refused(vault: Vault) -> None:
    vault.life = -1
    with pytest.raises(CredentialsError, match=r"AKIA1\) that expired at 2027"):
        await vault.get()


async def test_an_expired_answer_does_not_replace_good_credentials(vault: Vault) -> None:
    await vault.get()
    vault.now += HOUR - 300
    vault.life = -1
    await vault.get()
    await settle()
    assert vault.reads == 2
    assert await vault.get() == "AKIA1"


async def test_read_anew_after_a_rejection(vault: Vault) -> None:
    vault.life = None
    token = await vault.token()
    for _ in range(500):
        vault.reject(token)
    assert await asyncio.gather(*(vault.get() for _ in range(50))) == ["AKIA2"] * 50


async def test_read_anew_at_most_once_in_ten_seconds(vault: Vault) -> None:
    for seconds, reads in ((0, 2), (9, 2), (1, 3), (-3600, 4)):
        vault.now += seconds
        vault.reject(await vault.token())
        await vault.get()
        assert vault.reads == reads


async def test_a_read_under_way_at_the_rejection_is_not_enough(vault: Vault) -> None:
    await vault.get()
    vault.now += HOUR - 300
    vault.gate.clear()
    token = await vault.token()
    await settle()
    assert vault.reads == 2
    vault.reject(token)
    waiter = asyncio.create_task(vault.get())
    await settle()
    vault.gate.set()
    assert await waiter == "AKIA3"


async def test_nor_is_one_that_fails(vault: Vault) -> None:
    await vault.get()
    vault.now += HOUR - 300
    vault.gate.clear()
    token = await vault.token()
    await settle()
    vault.reject(token)
    waiter = asyncio.create_task(vault.get())
    await settle()
    vault.error = OSError("the vault is closed")
    gate, vault.gate = vault.gate, asyncio.Event()
    gate.set()
    await settle()
    assert vault.reads == 3
    vault.error = None
    vault.gate.set()
    assert await waiter == "AKIA3"


async def test_a_failed_read_after_a_rejection_leaves_the_present_ones(vault: Vault) -> None:
    token = await vault.token()
    vault.error = OSError("the vault is closed")
    vault.reject(token)
    assert await vault.get() == "AKIA1"
    assert await vault.get() == "AKIA1"
    assert vault.reads == 2


async def test_a_source_that_repeats_itself_is_not_asked_all_the_time(vault: Vault) -> None:
    await vault.get()
    end = vault.now + HOUR
    vault.now += HOUR - 590
    while vault.now < end - 30:
        vault.life = end - vault.now
        await vault.get()
        await settle()
        vault.now += 1
    assert vault.reads < 10


async def test_the_last_one_to_leave_ends_the_read(vault: Vault) -> None:
    vault.gate.clear()
    waiters = [asyncio.create_task(vault.get()) for _ in range(5)]
    await settle()
    for waiter in waiters:
        waiter.cancel()
    await settle()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    vault.gate.set()
    assert await vault.get() == "AKIA2"


async def test_identities_do_not_pile_up(vault: Vault) -> None:
    class Source:
        async def load(self) -> Credentials:
            return Credentials("AKIA", "x")

    sources: weakref.WeakSet[Source] = weakref.WeakSet()
    for _ in range(1000):
        one = Source()
        sources.add(one)
        await vault.service.credentials(credentials_source(credentials=one.load))
    gc.collect()
    assert len(sources) <= 257  # and the one that is held here


def test_the_expiry_of_a_key_does_not_move() -> None:
    def snapshot(access_key: str, expires: float | None, method: str = "iam-role") -> Snapshot:
        expires_at = None if expires is None else datetime.fromtimestamp(expires, UTC)
        return Snapshot(Credentials(access_key, "x", "y", expires_at), method)

    early, late, other = snapshot("ASIA1", START), snapshot("ASIA1", START + 900), snapshot("ASIA2", START + 900)
    assert with_first_expiry(late, early).expires == START
    assert with_first_expiry(early, late).expires == START
    assert with_first_expiry(other, early) is other
    leased = snapshot("ASIA1", START + 900, "callable")
    assert with_first_expiry(leased, early).expires == START + 900  # a lease may be renewed
    assert with_first_expiry(snapshot("ASIA1", None), early).expires is None
    assert with_first_expiry(late, snapshot("ASIA1", None)) is late


def test_when_to_read_again_in_the_background() -> None:
    def refresh_at(now: float, expires: float, draw: float) -> float:
        return renewal_times(now, expires, expires, draw)[0]

    assert refresh_at(0, math.inf, 0.5) == math.inf
    assert refresh_at(0, 6 * HOUR, 0.0) == 6 * HOUR - 700
    assert refresh_at(0, 6 * HOUR, 0.5) == 6 * HOUR - 717.5
    assert refresh_at(0, 900, 0.0) == 720
    assert refresh_at(10, 5, 0.9) <= 10


def test_from_when_on_callers_wait_for_new_ones() -> None:
    assert [renewal_times(0, expires, expires, 0.5)[1] for expires in (math.inf, HOUR, 50, 20, 2)] == [
        math.inf, HOUR - 5, 45, 18, 1.8,
    ]  # fmt: skip
