"""A real login every few milliseconds while tokens live for seconds, and their keys not much longer."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest

from aws_iam_async import Credentials, PluginManager
from tests.login.conftest import Rds

LIFE = 8.0
SECONDS = 10.0


class Vault:
    """Gives out keys of the emulator's account that are revoked as soon as they expire."""

    def __init__(self, rds: Rds) -> None:
        self.account = rds.emulator.account
        self.reads = 0

    async def load(self) -> Credentials:
        self.reads += 1
        await asyncio.sleep(0.3)
        key = self.account.create_access_key(session=True)
        asyncio.get_running_loop().call_later(LIFE, self.account.revoke, key.access_key)
        expires_at = datetime.now(UTC) + timedelta(seconds=LIFE)
        return Credentials(key.access_key, key.secret_key, key.session_token, expires_at)


@pytest.mark.parametrize("refresh", ["on_use", "background"])
async def test_nobody_waits_and_nobody_is_refused(
    rds: Rds, refresh: Literal["on_use", "background"], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aws_iam_async.tokens.lifetime.MARGIN", 1.0)  # 30 s before what lives for eight
    rds.emulator.faults.max_token_age = 5
    vault = Vault(rds)
    options = rds.options | {"credentials": vault.load, "iam_token_expiration": 3}
    loop = asyncio.get_running_loop()
    async with PluginManager(refresh=refresh) as manager:
        end = loop.time() + SECONDS
        async with manager.create_pool(rds.dsn, **options, **rds.sizes(1, 5)) as pool:
            while loop.time() < end:
                async with manager.connect(rds.dsn, **options) as connection:
                    assert await rds.value(connection, "SELECT 1") == 1
                async with rds.acquired(pool, 2) as connections:
                    assert [await rds.value(connection, "SELECT 2") for connection in connections] == [2, 2]
                await asyncio.sleep(0.05)
        statistics = manager.statistics()
    logins = rds.emulator.logins
    assert [login.reason for login in logins if not login.accepted] == []
    assert len(logins) == statistics.connects > 20
    assert (statistics.waits, statistics.failures, statistics.rejections) == (1, 0, 0)
    assert statistics.credentials_loads == vault.reads >= 2
    assert 2 <= len({login.access_key_id for login in logins}) <= vault.reads
    assert statistics.refreshes >= 3
    assert statistics.generations >= 4


async def test_tokens_that_the_server_stops_accepting_early_are_replaced(rds: Rds) -> None:
    """A server whose clock runs ahead, or one that was told to be strict."""
    async with PluginManager() as manager:
        async with manager.connect(rds.dsn, **rds.options):
            pass
        rds.emulator.faults.max_token_age = 2  # a new one is up to a second old: SigV4 counts whole ones
        await asyncio.sleep(3)
        async with manager.connect(rds.dsn, **rds.options) as connection:
            assert await rds.value(connection, "SELECT 1") == 1
        assert (manager.statistics().rejections, manager.statistics().failures) == (1, 0)
    assert [login.accepted for login in rds.emulator.logins] == [True, False, True]
