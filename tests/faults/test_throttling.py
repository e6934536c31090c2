"""RDS limits how many new tokens may log in within a second: a storm of connects needs one."""

import asyncio

from aws_iam_async import PluginManager
from tests.faults.leaks import Leaks
from tests.faults.site import Site

STORM = 40


async def test_a_storm_uses_one_login_of_the_limit(place: Site, manager: PluginManager, leaks: Leaks) -> None:
    place.emulator.reset()
    place.emulator.faults.throttle = 1
    connections = await asyncio.gather(*(place.connect(manager) for _ in range(STORM)))
    assert [login.accepted for login in place.emulator.logins] == [True] * STORM
    assert manager.statistics().failures == 0
    await asyncio.gather(*(place.close(connection) for connection in connections))
    await leaks.none()
