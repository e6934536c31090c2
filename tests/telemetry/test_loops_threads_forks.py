"""Telemetry has no loop, no thread and no lock of its own: it works in whatever runs."""

import asyncio
import os
import threading
from collections.abc import Iterator

import pytest

from aws_iam_async import Credentials, PluginManager
from benchmarks import stubbed_driver
from tests.telemetry.conftest import Telemetry


async def credentials() -> Credentials:
    return Credentials("AKIAEXAMPLE", "of-no-interest-here")


@pytest.fixture(autouse=True)
def _without_a_server() -> Iterator[None]:
    with stubbed_driver.stubbed():
        yield


def sign(manager: PluginManager) -> None:
    async def main() -> None:
        await manager.connect(**stubbed_driver.KEYWORDS)

    asyncio.run(main())


def test_loops_in_turn_and_in_threads(telemetry: Telemetry) -> None:
    manager = PluginManager("otel,iam", credentials=credentials)
    sign(manager)
    threads = [threading.Thread(target=sign, args=(manager,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(telemetry.spans("generate")) == 5
    ((_, count),) = telemetry.counts("aws_iam_async.token.generation.duration")
    assert count == 5


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")  # Python 3.12 and later
def test_a_forked_child(telemetry: Telemetry) -> None:
    manager = PluginManager("otel,iam", credentials=credentials)
    sign(manager)
    child = os.fork()
    if child == 0:
        try:
            sign(manager)
            told = len(telemetry.spans("generate")) == 2 and bool(telemetry.value("aws_iam_async.token.cached"))
        except BaseException:  # noqa: BLE001 - nothing may escape into the parent's test run
            told = False
        os._exit(0 if told else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
