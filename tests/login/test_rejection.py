"""A refused cached token is replaced once; a refused new one is the user's error, explained."""

import asyncio

import pytest

from aws_iam_async import Credentials, PluginManager
from tests.login.conftest import CredentialsEndpoint, Rds


async def test_a_pool_grows_after_its_token_was_rejected(rds: Rds, credentials_endpoint: CredentialsEndpoint) -> None:
    async with PluginManager() as manager:
        pool = await manager.create_pool(rds.dsn, **rds.options, **rds.sizes(2, 12))
        rds.emulator.account.revoke(credentials_endpoint.key.access_key)
        credentials_endpoint.rotate()
        async with rds.acquired(pool, 12) as connections:
            assert [await rds.value(connection, "SELECT 1") for connection in connections] == [1] * 12
        statistics = manager.statistics()
        assert (statistics.generations, statistics.rejections, statistics.failures) == (2, 1, 0)
        assert credentials_endpoint.requests == 2
        async with asyncio.timeout(10):
            await rds.close_pool(pool)


async def test_a_storm_of_rejections_makes_one_new_token(rds: Rds, credentials_endpoint: CredentialsEndpoint) -> None:
    async with PluginManager() as manager:
        async with manager.connect(rds.dsn, **rds.options):
            pass
        rds.emulator.account.revoke(credentials_endpoint.key.access_key)
        credentials_endpoint.rotate()

        async def one() -> None:
            async with manager.connect(rds.dsn, **rds.options) as connection:
                assert await rds.value(connection, "SELECT 1") == 1

        async with asyncio.TaskGroup() as group:
            for _ in range(100):
                group.create_task(one())
        statistics = manager.statistics()
        assert (statistics.generations, statistics.rejections, statistics.failures) == (2, 1, 0)
    assert credentials_endpoint.requests == 2


async def test_a_rejected_new_token_is_not_retried_and_is_explained(rds: Rds) -> None:
    async with PluginManager() as manager:
        rds.emulator.faults.reject_next(1)
        with pytest.raises(rds.refusal) as caught:
            await manager.connect(rds.dsn, **rds.options)
        assert manager.statistics().generations == 1
    assert len(rds.emulator.logins) == 1
    notes = "\n".join(caught.value.__notes__)
    login = rds.emulator.logins[0]
    for fact in ("'app'", f"{rds.emulator.host}:{rds.emulator.port}", "us-east-1", str(login.access_key_id), "rds_iam"):
        assert fact in notes
    assert "X-Amz-Signature" not in notes


@pytest.mark.parametrize(
    ("access_key", "session_token", "command"),
    [
        ("ASIAIOSFODNN7EXAMPLE", None, "export AWS_SESSION_TOKEN"),
        ("ASIAIOSFODNN7EXAMPLE", "example", None),
        ("AKIAIOSFODNN7EXAMPLE", "example", "unset AWS_SESSION_TOKEN"),
        ("AKIAIOSFODNN7EXAMPLE", None, None),
    ],
)
async def test_a_session_token_that_does_not_fit_the_key_is_told(
    rds: Rds, access_key: str, session_token: str | None, command: str | None
) -> None:
    async def load() -> Credentials:
        return Credentials(access_key, "example", session_token)

    async with PluginManager(credentials=load) as manager:
        with pytest.raises(rds.refusal) as caught:
            await manager.connect(rds.dsn, **rds.options)
    notes = "\n".join(caught.value.__notes__)
    assert "the access key is active" in notes
    assert command in notes if command else "AWS_SESSION_TOKEN" not in notes


async def test_a_rejected_cached_token_is_retried_exactly_once(rds: Rds) -> None:
    async with PluginManager() as manager:
        async with manager.connect(rds.dsn, **rds.options):
            pass
        rds.emulator.faults.reject_next(2)
        with pytest.raises(rds.refusal) as caught:
            await manager.connect(rds.dsn, **rds.options)
        assert manager.statistics().generations == 2
    assert [login.accepted for login in rds.emulator.logins] == [True, False, False]
    assert caught.value.__notes__


async def test_a_new_token_of_old_credentials_is_replaced_as_well(
    rds: Rds, credentials_endpoint: CredentialsEndpoint
) -> None:
    """After a long time without connections, the token has expired and the key was rotated."""
    async with PluginManager() as manager:
        async with manager.connect(rds.dsn, iam_token_expiration=0, **rds.options):
            pass
        rds.emulator.account.revoke(credentials_endpoint.key.access_key)
        credentials_endpoint.rotate()
        async with manager.connect(rds.dsn, iam_token_expiration=0, **rds.options) as connection:
            assert await rds.value(connection, "SELECT 1") == 1
    assert [login.accepted for login in rds.emulator.logins] == [True, False, True]
    assert credentials_endpoint.requests == 2


async def test_the_cache_can_be_turned_off(rds: Rds) -> None:
    async with PluginManager() as manager:
        for _ in range(3):
            async with manager.connect(rds.dsn, iam_token_expiration=0, **rds.options):
                pass
        assert manager.statistics().generations == 3
