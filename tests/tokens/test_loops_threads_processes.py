"""One service on several event loops, in turn, in threads, and after a fork."""

import asyncio
import os
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from aws_iam_async import Credentials, Token
from aws_iam_async.tokens.service import TokenService, default_service
from tests.tokens.keys import make_key


async def load() -> Credentials:
    await asyncio.sleep(0)
    return Credentials("AKIA", "x")


async def ask(service: TokenService) -> Token:
    key = make_key(load=load)
    tokens = await asyncio.gather(*(service.get(key) for _ in range(20)))
    assert len({id(token) for token, _ in tokens}) == 1
    return tokens[0][0]


def test_loops_in_turn() -> None:
    service = TokenService()
    tokens = [asyncio.run(ask(service)) for _ in range(3)]
    assert len({id(token) for token in tokens}) == 3
    assert service.statistics().generations == 3


def test_threads_with_loops_of_their_own() -> None:
    service = TokenService()
    tokens: list[Token] = []
    threads = [threading.Thread(target=lambda: tokens.append(asyncio.run(ask(service)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len({id(token) for token in tokens}) == 8
    assert service.statistics().generations == 8


@pytest.mark.parametrize("closed", [True, False])
def test_closing_from_another_loop_ends_its_renewals(*, closed: bool) -> None:
    service = TokenService(refresh="background")
    asked, go_on = threading.Event(), threading.Event()

    async def short() -> Credentials:
        return Credentials("AKIA", "x", "y", datetime.now(UTC) + timedelta(seconds=1))

    async def use() -> int:
        await service.get(make_key(load=short))
        asked.set()
        assert await asyncio.to_thread(go_on.wait, 30)
        await asyncio.sleep(0)
        before = service.statistics().credentials_loads
        await asyncio.sleep(1.5)
        renewals = service.statistics().credentials_loads - before
        await service.aclose()
        return renewals

    renewals: list[int] = []
    thread = threading.Thread(target=lambda: renewals.append(asyncio.run(use())))
    thread.start()
    assert asked.wait(30)
    if closed:
        asyncio.run(service.aclose())
    go_on.set()
    thread.join(30)
    assert bool(renewals[0]) is not closed


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")  # Python 3.12 and later
def test_a_forked_child() -> None:
    service = default_service()

    async def parent() -> int:
        await ask(service)
        pid = os.fork()
        if pid == 0:
            os._exit(_child(service))
        return pid

    pid = asyncio.run(parent())
    deadline = time.monotonic() + 30
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done or time.monotonic() > deadline:
            break
        time.sleep(0.01)
    assert done, "the child hangs"
    assert os.waitstatus_to_exitcode(status) == 0


def _child(service: TokenService) -> int:
    asyncio._set_running_loop(None)  # as a prefork server has it, which forks outside of any loop
    try:
        before = service.statistics().generations
        asyncio.run(ask(service))
        return 0 if service.statistics().generations == before + 1 else 2
    except BaseException:  # noqa: BLE001 - the exit code reports it
        return 1
