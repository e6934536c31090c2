"""Each generation of a token is a span, below the connect that set it off."""

import asyncio

import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags

from aws_iam_async import Credentials, CredentialsError, PluginManager
from aws_iam_async.credentials.source import source
from aws_iam_async.plugins.otel.plugin import OtelPlugin
from aws_iam_async.tokens.key import TokenKey
from aws_iam_async.tokens.service import TokenService
from tests.telemetry.conftest import Rds, Telemetry
from tests.tokens.conftest import Clock, settle

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
    ((attributes, count),) = telemetry.counts("aws_iam_async.token.generation.duration")
    assert (attributes["error.type"], count) == ("aws_iam_async.errors.CredentialsError", 1)


async def test_a_refresh_in_the_background_is_linked_to_what_set_it_off(telemetry: Telemetry) -> None:
    clock = Clock()
    service = TokenService(clock=clock, random=lambda: 0.5)
    OtelPlugin(service)
    key, other = (
        TokenKey(host="db", port=5432, user=user, region="us-east-1", source=source(None, credentials))
        for user in ("app", "other")
    )
    with tracer.start_as_current_span("first"):
        await service.get(key)
        token, _ = await service.get(other)
    clock.advance(700)
    service.reject(other, token)  # nothing is signed before the credentials have been read anew
    with tracer.start_as_current_span("second") as second:
        await service.get(key)
    await settle()
    await service.aclose()
    in_the_foreground, _, in_the_background = telemetry.spans("generate")
    assert in_the_foreground.parent == telemetry.span("first").context
    assert in_the_background.parent is None
    assert [link.context for link in in_the_background.links] == [second.get_span_context()]


async def test_one_on_the_spot_is_below_who_asked(telemetry: Telemetry) -> None:
    clock = Clock()
    service = TokenService(clock=clock, random=lambda: 0.5)
    OtelPlugin(service)
    key = TokenKey(host="db", port=5432, user="app", region="us-east-1", source=source(None, credentials))
    await service.get(key)
    clock.advance(700)
    with tracer.start_as_current_span("asking"):
        await service.get(key)
    await service.aclose()
    _, renewed = telemetry.spans("generate")
    assert renewed.parent == telemetry.span("asking").context
    assert not renewed.links


async def test_a_callers_caller_elsewhere_is_the_parent(telemetry: Telemetry) -> None:
    service = TokenService()
    OtelPlugin(service)
    key = TokenKey(host="db", port=5432, user="app", region="us-east-1", source=source(None, credentials))
    elsewhere = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    with trace.use_span(NonRecordingSpan(elsewhere)):
        await service.get(key)
    await service.aclose()
    generation = telemetry.span("generate")
    assert generation.parent == elsewhere
    assert not generation.links


async def test_what_is_below_a_span_that_is_not_sampled_is_not_either(telemetry: Telemetry) -> None:
    service = TokenService()
    OtelPlugin(service)
    key = TokenKey(host="db", port=5432, user="app", region="us-east-1", source=source(None, credentials))
    with trace.use_span(NonRecordingSpan(SpanContext(1, 2, is_remote=False))):
        await service.get(key)
    await service.aclose()
    assert telemetry.spans() == []


async def credentials() -> Credentials:
    return Credentials("AKIAEXAMPLE", "of-no-interest-here")
