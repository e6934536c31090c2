"""How often a secret is read: once for any burst, ahead of time, and once more after a rejected login."""

import asyncio
from typing import Any

import pytest
import time_machine
from moto.core.exceptions import JsonRESTError

from aws_iam_async import PluginManager
from tests.secrets_manager.conftest import Database, until

DOWN = JsonRESTError("InternalServiceError", "it is down")


async def connect(database: Database, manager: PluginManager, **options: Any) -> str:
    async with manager.connect(**database.options, **options) as connection:
        return await database.user(connection)


async def reads(database: Database, count: int) -> None:
    """Wait for reads in the background."""
    await until(lambda: database.store.reads >= count)
    await asyncio.sleep(0.2)
    assert database.store.reads == count


async def test_a_burst_of_connects_is_one_read(database: Database, manager: PluginManager) -> None:
    await asyncio.to_thread(database.rotate, "app", "battery staple 1")
    assert set(await asyncio.gather(*(connect(database, manager) for _ in range(20)))) == {"app"}
    assert database.store.reads == 1


async def test_user_and_password_change_with_a_rotation(database: Database, manager: PluginManager) -> None:
    await asyncio.to_thread(database.rotate, "app", "battery staple 2")
    assert await connect(database, manager) == "app"
    await asyncio.to_thread(database.rotate, "app_clone", "battery staple 3")
    await asyncio.to_thread(database.server.set_password, "app", "no longer known")
    assert set(await asyncio.gather(*(connect(database, manager) for _ in range(10)))) == {"app_clone"}
    assert database.store.reads == 2


async def test_it_is_renewed_in_the_background(database: Database, manager: PluginManager) -> None:
    await asyncio.to_thread(database.rotate, "app", "battery staple 4")
    with time_machine.travel(1_800_000_000, tick=True) as clock:
        await connect(database, manager)
        clock.shift(700)
        await connect(database, manager)
        await reads(database, 2)
        clock.shift(600)
        await connect(database, manager)
        assert database.store.reads == 2


async def test_a_stale_secret_is_served_while_the_service_fails(
    database: Database, manager: PluginManager, caplog: pytest.LogCaptureFixture
) -> None:
    await asyncio.to_thread(database.rotate, "app", "battery staple 5")
    with time_machine.travel(1_800_000_000, tick=True) as clock:
        await connect(database, manager)
        database.store.error = DOWN
        for _ in range(5):
            clock.shift(3600)
            assert await connect(database, manager) == "app"
            await until(lambda: "secret 'shop/app' in eu-west-1 could not be read again" in caplog.text)
        assert "it is down" in caplog.text


async def test_a_stale_secret_is_served_while_the_service_hangs(database: Database, manager: PluginManager) -> None:
    await asyncio.to_thread(database.rotate, "app", "battery staple 10")
    limit = {"timeout" if database.driver == "asyncpg" else "connect_timeout": 10}
    with time_machine.travel(1_800_000_000, tick=True) as clock:
        await connect(database, manager)
        database.store.opened.clear()
        clock.shift(3600)
        assert await asyncio.gather(*(connect(database, manager, **limit) for _ in range(3))) == ["app"] * 3
        await reads(database, 2)


async def test_an_expiration_of_0_renews_it_with_each_connection(database: Database, manager: PluginManager) -> None:
    await asyncio.to_thread(database.rotate, "app", "battery staple 6")
    await connect(database, manager, secret_expiration=0)
    for count in (2, 3):
        await connect(database, manager, secret_expiration=0)
        await reads(database, count)


async def test_a_wrong_secret_is_read_again_at_most_every_ten_seconds(
    database: Database, manager: PluginManager
) -> None:
    await asyncio.to_thread(database.rotate, "app", "battery staple 7")
    await connect(database, manager)
    await asyncio.to_thread(database.server.set_password, "app", "not in the secret")
    for _ in range(3):
        with pytest.raises(database.refusal) as info:
            await connect(database, manager)
        (note,) = info.value.__notes__
        assert "user 'app' and the password of secret 'shop/app' in eu-west-1" in note
    assert database.store.reads == 2


async def test_a_cancelled_caller_changes_nothing_for_the_others(database: Database, manager: PluginManager) -> None:
    await asyncio.to_thread(database.rotate, "app", "battery staple 8")
    database.store.opened.clear()
    callers = [asyncio.create_task(connect(database, manager)) for _ in range(5)]
    await until(lambda: database.store.reads > 0)
    callers.pop(0).cancel()
    database.store.opened.set()
    assert await asyncio.gather(*callers) == ["app"] * 4
    assert database.store.reads == 1


async def test_when_all_callers_leave_the_read_goes_on(database: Database, manager: PluginManager) -> None:
    await asyncio.to_thread(database.rotate, "app", "battery staple 9")
    database.store.opened.clear()
    caller = asyncio.create_task(connect(database, manager))
    await until(lambda: database.store.reads > 0)
    caller.cancel()
    await asyncio.wait([caller])
    database.store.opened.set()
    assert await connect(database, manager) == "app"
    assert database.store.reads == 1
