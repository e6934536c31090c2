"""A login that is rejected while its manager closes shows the server's answer."""

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from aws_iam_async import ConnectNext, ConnectRequest, Credentials, PluginManager
from benchmarks import stubbed_driver

REFUSAL = 'PAM authentication failed for user "app"'


class Refusing:
    """A stub of a server that refuses logins once ``refuses`` is set."""

    refuses = False
    attempts = 0
    manager: PluginManager | None = None

    async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:
        self.attempts += 1
        if not self.refuses:
            return await call_next(request)
        if self.manager is not None:
            await self.manager.aclose()
        raise asyncpg.InvalidAuthorizationSpecificationError(REFUSAL)


async def load() -> Credentials:
    return Credentials("ASIAEXAMPLE", "x", "y", datetime.now(UTC) + timedelta(hours=1))


async def test_the_manager_is_closed_before_the_second_attempt() -> None:
    server = Refusing()
    manager = PluginManager(["iam", server], credentials=load)
    with stubbed_driver.stubbed():
        await manager.connect(**stubbed_driver.KEYWORDS)
    server.refuses, server.manager = True, manager
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError, match=REFUSAL) as raised:
        await manager.connect(**stubbed_driver.KEYWORDS)
    assert server.attempts == 2
    assert any("us-east-1" in note for note in raised.value.__notes__)
