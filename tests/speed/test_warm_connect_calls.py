"""What a connect with a warm token does, counted, since it does not depend on the machine as its time does."""

import ssl
from collections.abc import Callable
from typing import Any

import pytest

import aws_iam_async
from aws_iam_async import drivers
from benchmarks import stubbed_driver
from tests.speed.counting import called

# Raise it for a reason only.
MOST_CALLS = 32


@pytest.fixture(params=["keywords", "DSN"])
async def warm(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """Connect once, so that all that follow find everything at hand."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    await drivers.load("asyncpg")
    monkeypatch.setattr("asyncpg.connect", stubbed_driver.connect)

    async def connect() -> Any:
        if request.param == "DSN":
            return await aws_iam_async.connect(stubbed_driver.DSN)
        return await aws_iam_async.connect(**stubbed_driver.KEYWORDS)

    await connect()
    return connect


async def test_a_warm_connect_calls_few_functions(warm: Callable[[], Any]) -> None:
    calls = await called(warm, 1)
    assert stubbed_driver.connect.__code__ in calls
    listing = "\n".join(f"{count} {code.co_qualname} {code.co_filename}" for code, count in calls.items())
    assert calls.total() <= MOST_CALLS, listing


async def test_the_hundredth_connect_costs_what_the_second_did(warm: Callable[[], Any]) -> None:
    one = (await called(warm, 1)).total()
    assert (await called(warm, 100)).total() == pytest.approx(100 * one, rel=0.05)


async def test_no_context_is_made(warm: Callable[[], Any]) -> None:
    calls = await called(warm, 100)
    assert calls[ssl.SSLContext.__new__.__code__] == 0
    # Or this would show nothing.
    assert (await called(_make_context, 1))[ssl.SSLContext.__new__.__code__] == 1


async def _make_context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
