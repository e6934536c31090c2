"""The clock of this machine is set forward and back by an hour; the server's is set with it, or not."""

import asyncio
import time

import pytest

from aws_iam_async import PluginManager
from aws_iam_async.tokens.service import TokenService
from tests.faults.leaks import Leaks
from tests.faults.load import RECOVERY, loaded
from tests.faults.site import Site

HOUR = 3600.0


@pytest.mark.parametrize("together", [True, False], ids=["the server's too", "here only"])
async def test_a_pool_reconnects(place: Site, leaks: Leaks, *, together: bool) -> None:
    step = 0.0

    def clock() -> float:
        return time.time() + step

    if together:
        place.emulator.clock = clock
    async with PluginManager(_tokens=TokenService(clock=clock)) as manager, loaded(place, manager) as load:
        for step in (0.0, HOUR, 0.0, -HOUR, 0.0):
            logins = len(place.emulator.logins)
            place.emulator.cut_connections()
            if together or step == 0.0:
                await load.at_full_size()
                await load.progress(5)
            else:
                await refusal_after(place, logins)
    if together:
        assert all(login.accepted for login in place.emulator.logins)
    await leaks.none()


async def refusal_after(place: Site, count: int) -> None:
    async with asyncio.timeout(RECOVERY):
        while all(login.accepted for login in place.emulator.logins[count:]):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
