"""Each physical connection is a span."""

import asyncio
import math

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

import aws_iam_async
from aws_iam_async import ConfigurationError, PluginManager
from aws_iam_async.testing import Stage
from tests.telemetry.conftest import REFUSAL, Rds, Telemetry

tracer = trace.get_tracer("tests")

SYSTEM = {"asyncpg": "postgresql", "aiomysql": "mysql", "psycopg": "postgresql"}


async def test_a_connect_says_where_to(rds: Rds, telemetry: Telemetry) -> None:
    with tracer.start_as_current_span("request") as request:
        async with aws_iam_async.connect(rds.dsn, plugins="otel,iam", **rds.options) as connection:
            assert await rds.value(connection, "SELECT 1") == 1
    span = telemetry.span("connect")
    assert span.name == "connect shop"
    assert span.kind is SpanKind.CLIENT
    assert span.status.status_code is StatusCode.UNSET
    assert span.attributes == {
        "db.system.name": SYSTEM[rds.driver],
        "db.namespace": "shop",
        "db.operation.name": "connect",
        "server.address": rds.emulator.dial_host,
        "server.port": rds.emulator.port,
    }
    assert span.parent == request.get_span_context()


async def test_without_a_database_the_server_is_the_target(telemetry: Telemetry) -> None:
    with pytest.raises(ConnectionRefusedError):
        await aws_iam_async.connect("postgresql://app:x@127.0.0.1:1?sslmode=disable", plugins="otel")
    assert telemetry.span("connect").name == "connect 127.0.0.1:1"


async def test_every_connection_of_a_pool_has_one(rds: Rds, telemetry: Telemetry) -> None:
    async with PluginManager("otel,iam") as manager, manager.create_pool(rds.dsn, **rds.options, **rds.sizes(3, 3)):
        assert len(telemetry.spans("connect")) == 3
        assert len(telemetry.spans("generate")) == 1


async def test_a_refused_login_tells_its_code_and_no_text(rds: Rds, telemetry: Telemetry) -> None:
    rds.emulator.faults.reject_next(10)
    with pytest.raises(rds.refusal):
        await aws_iam_async.connect(rds.dsn, plugins="otel,iam", iam_token_expiration=0, **rds.options)
    span = telemetry.span("connect")
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description is None
    assert span.attributes is not None
    told = {name: span.attributes.get(name) for name in ("error.type", "db.response.status_code")}
    assert {name: value for name, value in told.items() if value is not None} == REFUSAL[rds.driver]
    assert not [event for event in span.events if event.name == "exception"]


async def test_other_errors_tell_their_class(rds: Rds, telemetry: Telemetry) -> None:
    with pytest.raises(ConfigurationError):
        await aws_iam_async.connect(rds.dsn, plugins="otel,iam")
    attributes = telemetry.span("connect").attributes
    assert attributes is not None
    assert attributes["error.type"] == "aws_iam_async.errors.ConfigurationError"


async def test_a_cancelled_connect_ends_its_span(rds: Rds, telemetry: Telemetry) -> None:
    rds.emulator.faults.delay(Stage.TOKEN_RECEIVED, math.inf)
    task = asyncio.ensure_future(aws_iam_async.connect(rds.dsn, plugins="otel,iam", **rds.options))
    await asyncio.to_thread(rds.emulator.wait_for_connections, 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    attributes = telemetry.span("connect").attributes
    assert attributes is not None
    assert attributes["error.type"] == "asyncio.exceptions.CancelledError"
    rds.emulator.cut_connections()


async def test_a_login_that_is_tried_again_is_an_event(rds: Rds, telemetry: Telemetry) -> None:
    async with aws_iam_async.connect(rds.dsn, plugins="otel,iam", **rds.options):
        pass
    rds.emulator.faults.reject_next(1)
    async with aws_iam_async.connect(rds.dsn, plugins="otel,iam", **rds.options):
        pass
    first, second = telemetry.spans("connect")
    assert not first.events
    (event,) = second.events
    assert event.name == "IAM token rejected"
    place = {"server.address": rds.emulator.host, "server.port": rds.emulator.port, "cloud.region": "us-east-1"}
    assert event.attributes == place
    assert second.status.status_code is StatusCode.UNSET
    assert telemetry.counts("aws_iam_async.token.rejections") == [(place, 1)]


async def test_inside_of_iam_each_attempt_has_a_span_of_its_own(rds: Rds, telemetry: Telemetry) -> None:
    async with aws_iam_async.connect(rds.dsn, plugins="iam,otel", **rds.options):
        pass
    rds.emulator.faults.reject_next(1)
    async with aws_iam_async.connect(rds.dsn, plugins="iam,otel", **rds.options):
        pass
    codes = [span.status.status_code for span in telemetry.spans("connect")]
    assert codes == [StatusCode.UNSET, StatusCode.ERROR, StatusCode.UNSET]


async def test_each_host_has_a_span_of_its_own(telemetry: Telemetry) -> None:
    with pytest.raises(OSError, match="Connect call failed"):
        await aws_iam_async.connect("postgresql://app:x@127.0.0.1:1,127.0.0.1:2/shop?sslmode=disable", plugins="otel")
    ports = [dict(span.attributes or {})["server.port"] for span in telemetry.spans("connect")]
    assert ports == [1, 2]
