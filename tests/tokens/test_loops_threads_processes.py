"""One service on several event loops, in turn, in threads, and after a fork."""

import asyncio
import os
import threading
import time

import pytest

from aws_iam_async.credentials.credentials import Credentials
from aws_iam_async.credentials.source import source
from aws_iam_async.tokens.key import TokenKey
from aws_iam_async.tokens.service import TokenService, default_service
from aws_iam_async.tokens.token import Token


async def load() -> Credentials:
    await asyncio.sleep(0)
    return Credentials("AKIA", "x")


async def ask(service: TokenService) -> Token:
    key = TokenKey(host="db.example", port=5432, user="app", region="us-east-1", source=source(credentials=load))
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


def test_closing_from_another_loop() -> None:
    service = TokenService(refresh="background")
    asked, closed = threading.Event(), threading.Event()

    async def use() -> int:
        await ask(service)
        asked.set()
        assert await asyncio.to_thread(closed.wait, 30)
        await asyncio.sleep(0)
        return sum(tokens.timer is not None and tokens.timer.running for tokens in service._loops.states())

    running: list[int] = []
    thread = threading.Thread(target=lambda: running.append(asyncio.run(use())))
    thread.start()
    assert asked.wait(30)
    asyncio.run(service.aclose())
    closed.set()
    thread.join(30)
    assert running == [0]


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
    except BaseException:  # noqa: BLE001 - told by the exit code
        return 1
