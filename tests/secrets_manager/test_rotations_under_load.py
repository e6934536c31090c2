"""No connection fails while the secret is rotated again and again."""

import asyncio
import os
from collections import Counter

import pytest
import time_machine

from aws_iam_async import PluginManager
from tests.secrets_manager.conftest import Database, until

ROTATIONS = int(os.environ.get("ROTATIONS", "10"))
INTERVAL = 0.01  # seconds between two connection attempts
MOST_AT_ONCE = 50  # on a machine that is too busy
USERS = ("app", "app_clone")

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


async def test_rotations_again_and_again(database: Database, manager: PluginManager) -> None:
    """As AWS rotates alternating users, but the user before is shut out at once. 11 s pass with each rotation."""
    await asyncio.to_thread(database.rotate, USERS[0], "rotation 0")
    outcomes = Counter[str]()
    connects: set[asyncio.Task[None]] = set()

    async def connect() -> None:
        try:
            async with manager.connect(**database.options) as connection:
                outcomes[await database.user(connection)] += 1
        except Exception as error:  # noqa: BLE001 - counted
            outcomes[f"{type(error).__name__}: {error}"] += 1

    async def load() -> None:
        while True:
            if len(connects) < MOST_AT_ONCE:
                connects.add(task := asyncio.create_task(connect()))
                task.add_done_callback(connects.discard)
            await asyncio.sleep(INTERVAL)

    with time_machine.travel(1_800_000_000, tick=True) as clock:
        loading = asyncio.create_task(load())
        for number in range(1, ROTATIONS + 1):
            user, before = USERS[number % 2], USERS[1 - number % 2]
            await asyncio.to_thread(database.server.set_password, user, f"rotation {number}")
            await asyncio.to_thread(database.store.put, database.document(user, f"rotation {number}"))
            await asyncio.to_thread(database.server.set_password, before, f"shut out {number}")
            logins = outcomes[user]
            await until(lambda user=user, logins=logins: outcomes[user] > logins)  # type: ignore[misc]  # of this pass
            await asyncio.gather(*connects)  # no attempt takes the 11 s in which the next rotation comes
            clock.shift(11)
        loading.cancel()
        await asyncio.gather(*connects)
    assert outcomes.keys() == set(USERS), outcomes
    assert ROTATIONS <= database.store.reads <= 2 * ROTATIONS
