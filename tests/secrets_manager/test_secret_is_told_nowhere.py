"""With every logger at its most talkative, no secret is in a log, repr, exception, warning or statistic."""

import asyncio
import secrets
import traceback
from typing import Any

import pytest
import time_machine
from moto.core.exceptions import JsonRESTError

from aws_iam_async import ConnectRequest, PluginManager
from tests.secrets_manager.conftest import SECRET_KEY, Database, until
from tests.silence.ear import Ear, frames_of, hear_loop, listening

pytestmark = pytest.mark.long


class Witness:
    """A plugin next to the driver that looks at the request as a plugin may."""

    def __init__(self, ear: Ear) -> None:
        self.ear = ear

    async def connect(self, request: ConnectRequest, call_next: Any) -> Any:
        self.ear.hear_object(request)
        return await call_next(request)


async def fail(manager: PluginManager, database: Database, ear: Ear, **options: Any) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - any: none of them may tell
        await manager.connect(**database.options | options)
    ear.hear_exception(caught.value)
    del caught


async def succeed(manager: PluginManager, database: Database, ear: Ear) -> None:
    async with manager.connect(**database.options) as connection:
        ear.hear_object(connection)
    async with manager.create_pool(**database.options, **database.sizes(1, 2)) as pool:
        ear.hear_object(pool)


async def be_rejected(manager: PluginManager, database: Database, ear: Ear) -> None:
    await succeed(manager, database, ear)
    await asyncio.to_thread(database.server.set_password, "app", "another one")
    await fail(manager, database, ear)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - as in fail()
        await manager.create_pool(**database.options, **database.sizes(1, 2))
    ear.hear_exception(caught.value)
    del caught


async def be_unusable(manager: PluginManager, database: Database, ear: Ear) -> None:
    await fail(manager, database, ear, secret_username_property="missing")
    await fail(manager, database, ear, secret_username_property="nul")
    await fail(manager, database, ear, secret_password_property="missing", host=None)


async def fail_to_renew(manager: PluginManager, database: Database, ear: Ear) -> None:
    await succeed(manager, database, ear)
    database.store.error = JsonRESTError("InternalServiceError", "it is down")
    with time_machine.travel(4_000_000_000, tick=True):
        await succeed(manager, database, ear)


async def be_cancelled(manager: PluginManager, database: Database, ear: Ear) -> None:
    database.store.opened.clear()
    task: asyncio.Task[Any] = asyncio.ensure_future(manager.connect(**database.options))
    await until(lambda: database.store.reads > 0)
    ear.hear("task", repr(task))
    for frame in frames_of(task):
        ear.hear("stack", *traceback.StackSummary.extract([(frame, frame.f_lineno)], capture_locals=True).format())
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    ear.hear_exception(caught.value)
    database.store.opened.set()
    await succeed(manager, database, ear)


@pytest.mark.parametrize("scene", [succeed, be_rejected, be_unusable, fail_to_renew, be_cancelled])
def test_no_secret_is_told(scene: Any, database: Database) -> None:
    password = secrets.token_hex(24)
    ear = Ear()
    ear.secrets += [password, SECRET_KEY]
    # Before listening: the client of the test has a log of its own.
    database.rotate("app", password, nul=f"{password}\0")

    async def main() -> None:
        hear_loop(ear, asyncio.get_running_loop())
        async with PluginManager(["secrets_manager", Witness(ear)]) as manager:
            await scene(manager, database, ear)
            ear.hear_object(manager)
            ear.hear_object(manager.statistics())

    with listening(ear):
        asyncio.run(main())
    assert ear.told() == []
    assert len(ear.texts) > 10
