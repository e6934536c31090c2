"""A server refuses tokens before they expire, because its clock is ahead or its limit is shorter."""

import asyncio

from aws_iam_async import PluginManager
from tests.login.conftest import Rds


async def test_tokens_that_the_server_stops_accepting_early_are_replaced(rds: Rds) -> None:
    async with PluginManager() as manager:
        async with manager.connect(rds.dsn, **rds.options):
            pass
        rds.emulator.faults.max_token_age = 2  # a new one is up to a second old: SigV4 counts whole ones
        await asyncio.sleep(3)
        async with manager.connect(rds.dsn, **rds.options) as connection:
            assert await rds.value(connection, "SELECT 1") == 1
        assert (manager.statistics().rejections, manager.statistics().failures) == (1, 0)
    assert [login.accepted for login in rds.emulator.logins] == [True, False, True]
