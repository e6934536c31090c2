"""No secret is in any output, even with all debug logging, after any error, and with any source of credentials."""

import asyncio
import gc
import math
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from aws_iam_async import PluginManager, RdsTokenProvider
from aws_iam_async.testing import CertificateKind
from aws_iam_async.testing import Stage as LoginStage
from tests.credentials.conftest import Answer
from tests.login.conftest import Rds
from tests.silence.conftest import SOURCES, Sources, Stage
from tests.silence.ear import Ear, frames_of

pytestmark = pytest.mark.long

IMPATIENT = {"asyncpg": {"timeout": 0.3}, "aiomysql": {"connect_timeout": 0.3}, "psycopg": {"connect_timeout": 0.3}}


async def success(manager: PluginManager, rds: Rds, ear: Ear, options: dict[str, Any]) -> None:
    async with manager.connect(rds.dsn, **options) as connection:
        assert await rds.value(connection, "SELECT 1") == 1
        ear.hear_object(connection)
    opening = manager.create_pool(rds.dsn, **options, **rds.sizes(1, 2))
    ear.hear_object(opening)
    async with opening as pool, rds.acquired(pool, 2) as connections:
        ear.hear_object(pool)
        assert await rds.value(connections[1], "SELECT 1") == 1


async def rejection(manager: PluginManager, rds: Rds, ear: Ear, options: dict[str, Any]) -> None:
    async with manager.connect(rds.dsn, **options):
        pass
    rds.emulator.faults.reject_next(2)
    await failure(manager, rds, ear, options)
    assert len(rds.emulator.logins) == 3


async def rejected_pool(manager: PluginManager, rds: Rds, ear: Ear, options: dict[str, Any]) -> None:
    rds.emulator.faults.reject_next(10)
    with pytest.raises(rds.refusal) as caught:
        await manager.create_pool(rds.dsn, **options, **rds.sizes(1, 2))
    ear.hear_exception(caught.value)


async def failure(manager: PluginManager, rds: Rds, ear: Ear, options: dict[str, Any]) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - any: none of them may tell
        await manager.connect(rds.dsn, **options)
    ear.hear_exception(caught.value)
    del caught


async def time_out(manager: PluginManager, rds: Rds, ear: Ear, options: dict[str, Any]) -> None:
    rds.emulator.faults.delay(LoginStage.TOKEN_RECEIVED, math.inf)
    await failure(manager, rds, ear, options | IMPATIENT[rds.driver])


async def cancellation(manager: PluginManager, rds: Rds, ear: Ear, options: dict[str, Any]) -> None:
    for stage in (LoginStage.TLS_AGREED, LoginStage.TOKEN_RECEIVED):
        rds.emulator.cut_connections()  # a login that is delayed does not see that its client has gone
        await asyncio.to_thread(rds.emulator.wait_for_connections, 0)
        rds.emulator.reset()
        rds.emulator.faults.delay(stage, math.inf)
        opening = manager.connect(rds.dsn, **options)
        task = asyncio.ensure_future(opening)
        await asyncio.to_thread(rds.emulator.wait_for_connections, 1)
        await asyncio.sleep(0.1)  # into the login, as far as the emulator lets it
        ear.hear("task", repr(task))
        for frame in frames_of(task):
            ear.hear("stack", *traceback.StackSummary.extract([(frame, frame.f_lineno)], capture_locals=True).format())
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        ear.hear_exception(caught.value)


async def no_tls(manager: PluginManager, rds: Rds, ear: Ear, options: dict[str, Any]) -> None:
    rds.emulator.faults.offer_tls = False
    await failure(manager, rds, ear, options)


async def tls_failure(manager: PluginManager, rds: Rds, ear: Ear, options: dict[str, Any]) -> None:
    rds.emulator.faults.certificate = CertificateKind.UNTRUSTED
    await failure(manager, rds, ear, options)


async def connection_lost(manager: PluginManager, rds: Rds, ear: Ear, options: dict[str, Any]) -> None:
    for stage in LoginStage:
        if stage is not LoginStage.LOGGED_IN:
            rds.emulator.faults.cut(stage)
            await failure(manager, rds, ear, options)


async def group_of_failures(manager: PluginManager, rds: Rds, ear: Ear, options: dict[str, Any]) -> None:
    rds.emulator.faults.reject_next(10)

    async def all_at_once() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(manager.connect(rds.dsn, **options))

    with pytest.raises(ExceptionGroup) as caught:
        await all_at_once()
    ear.hear_exception(caught.value)


async def nobody_awaits_the_task(manager: PluginManager, rds: Rds, ear: Ear, options: dict[str, Any]) -> None:
    rds.emulator.faults.reject_next(10)

    async def one() -> None:
        await manager.connect(rds.dsn, **options)

    task = asyncio.create_task(one())
    while not task.done():  # noqa: ASYNC110 - awaiting it would take its exception
        await asyncio.sleep(0.01)
    del task
    gc.collect()
    assert any(where == "loop" for where, _ in ear.texts)


async def wrong_options(manager: PluginManager, rds: Rds, ear: Ear, options: dict[str, Any]) -> None:
    for wrong in ({"iam_region": "nowhere"}, {"iam_token_expiration": -1}, {"ssl": "prefer"}, {"iamRegion": "x"}):
        await failure(manager, rds, ear, options | {"sslrootcert": None} | wrong)


async def token_alone(_: PluginManager, rds: Rds, ear: Ear, options: dict[str, Any]) -> None:
    options = {name: value for name, value in options.items() if name in {"profile", "credentials"}}
    provider = RdsTokenProvider(**options)
    token = await provider.get_token(host=rds.emulator.host, port=5432, user="app")
    ear.secrets.append(token.value.partition("X-Amz-Signature=")[2])
    for thing in (token, provider, provider.statistics(), token.value):
        ear.hear_object(thing)
    ear.hear("token", f"{token}", f"{token!r}", repr([token.value]), repr({"token": token}))
    await provider.aclose()


SCENES: list[Callable[..., Any]] = [
    success,
    rejection,
    rejected_pool,
    time_out,
    cancellation,
    no_tls,
    tls_failure,
    connection_lost,
    group_of_failures,
    nobody_awaits_the_task,
    wrong_options,
    token_alone,
]


@pytest.mark.parametrize("scene", SCENES)
def test_in_whatever_happens(
    scene: Callable[..., Any], rds: Rds, ear: Ear, sources: Sources, loop_factory: Any
) -> None:
    Stage(rds, ear, loop_factory).play(scene, sources.use("callable"))
    assert ear.told() == []


@pytest.mark.parametrize("scene", [success, rejection, time_out])
@pytest.mark.parametrize("source", SOURCES)
def test_wherever_credentials_come_from(
    scene: Callable[..., Any], source: str, rds: Rds, ear: Ear, sources: Sources
) -> None:
    Stage(rds, ear).play(scene, sources.use(source))
    assert any(sources.key.access_key in text for _, text in ear.texts) or scene is not rejection
    assert ear.told() == []


@pytest.mark.parametrize("source", ["container", "role", "assumed_role", "process"])
@pytest.mark.parametrize("damage", ["truncated", "without a key", "of another kind"])
def test_when_the_source_answers_nonsense_around_a_secret(
    source: str, damage: str, rds: Rds, ear: Ear, sources: Sources
) -> None:
    options = sources.use(source)
    answer = sources.home.config.with_name("answer.json")
    text = answer.read_text() if source == "process" else sources.endpoint.answer.body
    text = {
        "truncated": text.strip()[:-3],
        "without a key": text.replace("AccessKeyId", "AccessKey"),
        "of another kind": f"<html>{text}</html>",
    }[damage]
    if source == "process":
        answer.write_text(text)
    sources.endpoint.answer = Answer(text)
    Stage(rds, ear).play(failure, options)
    assert rds.emulator.logins == []
    assert ear.told() == []
