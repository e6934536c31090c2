"""``statistics()`` may be polled from any thread while loops serve tokens."""

import asyncio
import sys
import threading
from collections.abc import Iterator

import pytest

from aws_iam_async import Credentials
from aws_iam_async.tokens.service import TokenService
from tests.tokens.keys import make_key


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads take turns as often as they can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("restless")
def test_polled_while_tokens_come_go_and_move() -> None:
    service = TokenService(maxsize=100)
    errors: list[Exception] = []
    polls = 0
    stopped = threading.Event()

    async def serve() -> None:
        for number in range(2000):

            async def load() -> Credentials:
                return Credentials("AKIA", "x")

            key = make_key(str(number), load=load)
            for _ in range(2):
                await service.get(key)

    def poll() -> None:
        nonlocal polls
        while not stopped.is_set():
            polls += 1
            try:
                service.statistics()
            except Exception as error:  # noqa: BLE001 - whatever goes wrong between two threads
                errors.append(error)

    poller = threading.Thread(target=poll)
    poller.start()
    try:
        asyncio.run(serve())
    finally:
        stopped.set()
        poller.join(30)
    assert polls > 10
    assert errors == []
