"""Each generation of a token is a span, below the connect that set it off."""

import asyncio
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags

from aws_iam_async import Credentials, CredentialsError, PluginManager
from benchmarks import stubbed_driver
from tests.telemetry.conftest import Rds, Telemetry

tracer = trace.get_tracer("tests")


async def test_those_who_wait_share_the_span_of_the_first(rds: Rds, telemetry: Telemetry) -> None:
    key = rds.emulator.account.create_access_key()

    async def credentials() -> Credentials:
        await asyncio.sleep(0.05)
        return Credentials(key.access_key, key.secret_key)

    async with PluginManager("otel,iam") as manager:
        openings = [manager.connect(rds.dsn, credentials=credentials, **rds.options) for _ in range(4)]
        connections = await asyncio.gather(*openings)
        for connection in connections:
            await rds.close(connection)
    generation = telemetry.span("generate")
    assert generation.name == "generate IAM token"
    assert generation.kind is SpanKind.INTERNAL
    assert generation.attributes == {
        "server.address": rds.emulator.host,
        "server.port": rds.emulator.port,
        "cloud.region": "us-east-1",
    }
    connects = [span.context for span in telemetry.spans("connect")]
    assert len(connects) == 4
    assert generation.parent in connects


async def test_a_failed_generation_tells_its_class(rds: Rds, telemetry: Telemetry) -> None:
    async def credentials() -> Credentials:
        raise OSError("the vault is closed")

    async with PluginManager("otel,iam") as manager:
        with pytest.raises(CredentialsError):
            await manager.connect(rds.dsn, credentials=credentials, **rds.options)
    for span in telemetry.spans():
        assert span.status.status_code is StatusCode.ERROR
        assert span.attributes is not None
        assert span.attributes["error.type"] == "aws_iam_async.errors.CredentialsError"
        assert "vault" not in span.to_json()
    ((attributes, count),) = telemetry.counts("aws_iam_async.credentials.read.duration")
    assert (attributes["error.type"], count) == ("aws_iam_async.errors.CredentialsError", 1)


async def connect(manager: PluginManager, user: str = "app", **options: Any) -> None:
    """Without a server: what is below the plugins is of no interest here."""
    with stubbed_driver.stubbed():
        await manager.connect(**{**stubbed_driver.KEYWORDS, "user": user}, **options)


async def test_one_signed_on_the_spot_is_in_the_trace_of_its_connect(telemetry: Telemetry) -> None:
    async with PluginManager("otel,iam", credentials=credentials) as manager:
        await connect(manager)
        with tracer.start_as_current_span("asking") as asking:
            await connect(manager, "another")
    _, second = telemetry.spans("generate")
    assert second.context is not None
    assert second.context.trace_id == asking.get_span_context().trace_id
    assert second.parent in [span.context for span in telemetry.spans("connect")]
    assert not second.links


async def test_a_callers_caller_elsewhere_is_the_root(telemetry: Telemetry) -> None:
    elsewhere = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    async with PluginManager("otel,iam", credentials=credentials) as manager:
        with trace.use_span(NonRecordingSpan(elsewhere)):
            await connect(manager)
    generation = telemetry.span("generate")
    assert generation.context is not None
    assert generation.context.trace_id == elsewhere.trace_id
    assert telemetry.span("connect").parent == elsewhere
    assert not generation.links


async def test_what_is_below_a_span_that_is_not_sampled_is_not_either(telemetry: Telemetry) -> None:
    async with PluginManager("otel,iam", credentials=credentials) as manager:
        with trace.use_span(NonRecordingSpan(SpanContext(1, 2, is_remote=False))):
            await connect(manager)
    assert telemetry.spans() == []


async def credentials() -> Credentials:
    return Credentials("AKIAEXAMPLE", "of-no-interest-here")
