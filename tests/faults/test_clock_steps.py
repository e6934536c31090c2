"""The clock of this machine is set forward and back by an hour; the server's is set with it, or not."""

import asyncio
import functools
import re
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from aws_iam_async import ConnectNext, ConnectRequest, PluginManager
from aws_iam_async.testing import Reason
from aws_iam_async.tokens.service import TokenService
from tests.faults.leaks import Leaks
from tests.faults.load import LONG_PAUSE, RECOVERY, loaded
from tests.faults.site import Site

HOUR = 3600.0
LIFE = 900.0  # of a token


class Ages:
    """A plugin beneath ``iam``: writes down how old each token is when the driver gets it.

    What the server finds says less: a login that is under way when the clock is set meets another clock there.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.found: list[float] = []

    async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:
        signed = re.search("X-Amz-Date=([0-9TZ]+)", str(request.password))
        assert signed is not None
        self.found.append(self._clock() - datetime.strptime(signed[1], "%Y%m%dT%H%M%S%z").timestamp())
        return await call_next(request)


@pytest.mark.parametrize("together", [True, False], ids=["the server's too", "here only"])
async def test_a_pool_reconnects(place: Site, leaks: Leaks, monkeypatch: pytest.MonkeyPatch, *, together: bool) -> None:
    step = 0.0

    def clock() -> float:
        return time.time() + step

    if together:
        place.emulator.clock = clock
    ages = Ages(clock)
    monkeypatch.setattr("aws_iam_async.manager.TokenService", functools.partial(TokenService, clock=clock))
    async with PluginManager(["iam", ages]) as manager, loaded(place, manager, pause=LONG_PAUSE) as load:
        for step in (0.0, HOUR, 0.0, -HOUR, 0.0):
            logins = len(place.emulator.logins)
            place.emulator.cut_connections()
            if together or step == 0.0:
                await load.at_full_size()
                await load.progress(5)
            else:
                await refusal_after(place, logins)
    assert min(ages.found) >= 0
    assert max(ages.found) < LIFE
    refusals = {login.reason for login in place.emulator.logins} - {None}
    assert refusals <= {Reason.EXPIRED, Reason.NOT_YET_VALID}
    await leaks.none()


async def refusal_after(place: Site, count: int) -> None:
    async with asyncio.timeout(RECOVERY):
        while all(login.accepted for login in place.emulator.logins[count:]):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
