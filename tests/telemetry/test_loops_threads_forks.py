"""Telemetry has no loop, no thread and no lock of its own: it works in whatever runs."""

import asyncio
import os
import threading

import pytest

from aws_iam_async import Credentials
from aws_iam_async.credentials.source import source
from aws_iam_async.plugins.otel.plugin import OtelPlugin
from aws_iam_async.tokens.key import TokenKey
from aws_iam_async.tokens.service import TokenService
from tests.telemetry.conftest import Telemetry


async def credentials() -> Credentials:
    return Credentials("AKIAEXAMPLE", "of-no-interest-here")


def sign(service: TokenService) -> None:
    async def main() -> None:
        key = TokenKey(host="db", port=5432, user="app", region="us-east-1", source=source(None, credentials))
        await service.get(key)

    asyncio.run(main())


def test_loops_in_turn_and_in_threads(telemetry: Telemetry) -> None:
    service = TokenService()
    OtelPlugin(service)
    sign(service)
    threads = [threading.Thread(target=sign, args=(service,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(telemetry.spans("generate")) == 5
    ((_, count),) = telemetry.counts("aws_iam_async.token.generation.duration")
    assert count == 5


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")  # Python 3.12 and later
def test_a_forked_child(telemetry: Telemetry) -> None:
    service = TokenService()
    OtelPlugin(service)
    sign(service)
    child = os.fork()
    if child == 0:
        try:
            sign(service)
            told = len(telemetry.spans("generate")) == 2 and bool(telemetry.value("aws_iam_async.token.cached"))
        except BaseException:  # noqa: BLE001 - nothing may escape into the parent's test run
            told = False
        os._exit(0 if told else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
