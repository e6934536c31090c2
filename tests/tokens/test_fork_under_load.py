"""If a process forks while a thread reads credentials, callers wait and timers run, the child starts from scratch."""

import asyncio
import os
import signal

import pytest

from aws_iam_async import Credentials
from aws_iam_async.tokens.service import TokenService
from tests.credentials.conftest import AwsHome, Endpoint, aws_home, container, endpoint
from tests.tokens.keys import make_key

__all__ = ["AwsHome", "aws_home", "container", "endpoint"]

KEY = make_key()
SECONDS = 30


async def load() -> Credentials:
    return Credentials("AKIA", "x")


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")  # Python 3.12 and later
def test_parent_and_child_each_get_their_own(container: Endpoint) -> None:
    service = TokenService(refresh="background")

    async def parent() -> int:
        await service.get(make_key(load=load))  # a timer runs
        container.hold()
        waiters = [asyncio.create_task(service.get(KEY)) for _ in range(20)]
        while container.requests == 0:  # noqa: ASYNC110 - the endpoint counts in another thread
            await asyncio.sleep(0.01)
        pid = os.fork()
        if pid == 0:
            os._exit(_child(service))
        container.release()
        tokens = {id(token) for token, _ in await asyncio.gather(*waiters)}
        assert len(tokens) == 1
        async with asyncio.timeout(SECONDS):
            _, status = await asyncio.to_thread(os.waitpid, pid, 0)
        await service.aclose()
        return os.waitstatus_to_exitcode(status)

    assert asyncio.run(parent()) == 0
    assert container.requests == 2
    assert service.statistics().generations == 2  # the child counts for itself


def _child(service: TokenService) -> int:
    signal.alarm(SECONDS)
    asyncio._set_running_loop(None)  # as a prefork server has it, which forks outside of any loop
    try:
        asyncio.run(_ask(service))
    except BaseException:  # noqa: BLE001 - the exit code reports it
        return 1
    return 0 if service.statistics().generations == 2 else 2


async def _ask(service: TokenService) -> None:
    await asyncio.gather(*(service.get(KEY) for _ in range(20)))
    await service.aclose()
    assert asyncio.all_tasks() == {asyncio.current_task()}
