"""``manager.statistics()`` tells what there is to alert on."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from aws_iam_async import Credentials, CredentialsError, PluginManager, Statistics
from tests.login.conftest import Rds


class Vault:
    """Keys that live for a quarter of an hour; slow at first, broken on demand."""

    def __init__(self, rds: Rds) -> None:
        self.account = rds.emulator.account
        self.works = True
        self.expires_at = datetime.now(UTC) + timedelta(minutes=15)

    async def load(self) -> Credentials:
        await asyncio.sleep(0.05)
        if not self.works:
            raise OSError("the vault is closed")
        key = self.account.create_access_key(session=True)
        return Credentials(key.access_key, key.secret_key, key.session_token, self.expires_at)


async def test_everything_is_counted(rds: Rds) -> None:
    vault = Vault(rds)
    options = rds.options | {"credentials": vault.load}
    async with PluginManager() as manager:
        assert manager.statistics() == Statistics(
            generations=0,
            hits=0,
            waits=0,
            wait_seconds=0.0,
            refreshes=0,
            refresh_failures=0,
            rejections=0,
            credentials_loads=0,
            credentials_failures=0,
            live_tokens=0,
            next_token_expiry=None,
            next_credentials_expiry=None,
            connects=0,
            wrong_servers=0,
            retirements=0,
            failures=0,
        )
        vault.works = False
        with pytest.raises(CredentialsError):
            await manager.connect(rds.dsn, **options)
        vault.works = True
        for _ in range(3):
            async with manager.connect(rds.dsn, **options):
                pass
        rds.emulator.faults.reject_next(1)
        async with manager.connect(rds.dsn, **options):
            pass
        statistics = manager.statistics()
    assert 0.1 < statistics.wait_seconds < 30
    assert statistics.next_credentials_expiry == vault.expires_at
    assert statistics.next_token_expiry is not None
    assert statistics.next_token_expiry <= vault.expires_at - timedelta(seconds=30)
    counted = {name: value for name, value in statistics.as_dict().items() if isinstance(value, int)}
    assert counted == {
        "wrong_servers": 0,
        "retirements": 0,
        "connects": 4,
        "failures": 1,
        "generations": 2,
        "hits": 3,  # two connects, and the one that was then rejected
        "waits": 3,  # for the failed request, the first credentials and those after the rejection
        "rejections": 1,
        "credentials_loads": 3,
        "credentials_failures": 1,
        "refreshes": 0,
        "refresh_failures": 0,
        "live_tokens": 1,
    }


def test_it_is_frozen() -> None:
    with pytest.raises(AttributeError):
        PluginManager().statistics().hits = 1  # type: ignore[misc]  # wrong on purpose
