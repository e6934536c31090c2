"""The ``otel`` plugin: OpenTelemetry's spans and metrics.

Names follow OpenTelemetry's semantic conventions for databases where they define one.
"""

import contextlib
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from importlib.metadata import version
from typing import Any, TypeAlias

from opentelemetry import context, metrics, trace
from opentelemetry.metrics import CallbackOptions, Histogram, Observation
from opentelemetry.trace import Link, SpanKind, StatusCode

from aws_iam_async.plugins.protocol import ConnectNext
from aws_iam_async.request import ConnectRequest
from aws_iam_async.tokens.service import TokenService
from aws_iam_async.tokens.token import TokenKey

Attributes: TypeAlias = Mapping[str, str | int]

SCOPE = "aws_iam_async", version("aws-iam-async")
# Seconds: those of the conventions for db.client.operation.duration. The SDK's own are for milliseconds.
BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)

_tracer = trace.get_tracer(*SCOPE)
_meter = metrics.get_meter(*SCOPE)
_services: "weakref.WeakValueDictionary[int, TokenService]" = weakref.WeakValueDictionary()


def _histogram(name: str, description: str) -> Histogram:
    return _meter.create_histogram(name, unit="s", description=description, explicit_bucket_boundaries_advisory=BUCKETS)


_create_time = _histogram("db.client.connection.create_time", "The time it took to create a new connection.")
_read_time = _histogram("aws_iam_async.credentials.read.duration", "The time it took to read AWS credentials.")
_generation_time = _histogram("aws_iam_async.token.generation.duration", "The time it took to sign a token.")
_failures = _meter.create_counter(
    "aws_iam_async.connection.failures", unit="{connection}", description="Connections that could not be created."
)
_rejections = _meter.create_counter(
    "aws_iam_async.token.rejections",
    unit="{login}",
    description="Logins that a server rejected, and that were repeated once.",
)
_retirements = _meter.create_counter(
    "aws_iam_async.pool.retirements",
    unit="{retirement}",
    description="Times all connections of a pool were replaced, because a plugin found that their server changed.",
)


def _count_cached(_options: CallbackOptions) -> Iterable[Observation]:
    # This runs in the exporter's thread: a list of references is made in one step.
    services = [service for reference in _services.valuerefs() if (service := reference()) is not None]
    yield Observation(sum(service.live() for service in services))


_meter.create_observable_gauge(
    "aws_iam_async.token.cached", [_count_cached], unit="{token}", description="Tokens in the cache."
)


class OtelPlugin:
    """Reports each connection attempt, each read of credentials and each token as a span and in metrics."""

    def __init__(self, tokens: TokenService) -> None:
        tokens.hooks.read = lambda _source: _measure("read AWS credentials", {}, _read_time)
        tokens.hooks.generation = lambda key: _measure("generate IAM token", _of_key(key), _generation_time)
        tokens.hooks.rejection = _count_rejection
        tokens.hooks.retirement = lambda request: _retirements.add(1, _of_server(request))
        _services[id(tokens)] = tokens

    async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:
        server = _of_server(request)
        place = ":".join(str(part) for name, part in server.items() if name != "db.system.name")

        def record(seconds: float, failure: Attributes) -> None:
            if failure:
                _failures.add(1, {**server, **failure})
            else:
                pool = f"{place}/{request.database}" if request.database else place
                _create_time.record(seconds, {**server, "db.client.connection.pool.name": pool})

        attributes = {**server, "db.operation.name": "connect"}
        if request.database:
            attributes["db.namespace"] = request.database
        with _span(f"connect {request.database or place}", SpanKind.CLIENT, attributes, record):
            return await call_next(request)


def _measure(name: str, attributes: Attributes, histogram: Histogram) -> AbstractContextManager[None]:
    def record(seconds: float, failure: Attributes) -> None:
        histogram.record(seconds, {**attributes, **failure})

    return _span(name, SpanKind.INTERNAL, attributes, record)


def _count_rejection(key: TokenKey) -> None:
    _rejections.add(1, _of_key(key))
    trace.get_current_span().add_event("IAM token rejected", _of_key(key))


@contextlib.contextmanager
def _span(
    name: str, kind: SpanKind, attributes: Attributes, record: Callable[[float, Attributes], None]
) -> Iterator[None]:
    """Open a span. ``record`` gets the seconds and the attributes of a failure, which are empty after a success."""
    parent, links = _parent_and_links()
    with _tracer.start_as_current_span(
        name,
        context=parent,
        kind=kind,
        attributes=attributes,
        links=links,
        # Without the exception itself: its text comes from the server or the AWS SDK, and may name users and hosts.
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        start = time.perf_counter()
        try:
            yield
        except BaseException as error:
            failure = _of_error(error)
            span.set_attributes(failure)
            span.set_status(StatusCode.ERROR)
            record(time.perf_counter() - start, failure)
            raise
        record(time.perf_counter() - start, {})


def _parent_and_links() -> tuple[context.Context | None, Sequence[Link]]:
    """Return the parent of a new span, and its links.

    Tasks and timers inherit the context of their creator. A span that has ended cannot be a parent, but is linked.
    """
    current = trace.get_current_span()
    origin = current.get_span_context()
    if not origin.is_valid or origin.is_remote or not origin.trace_flags.sampled or current.is_recording():
        return None, ()
    return trace.set_span_in_context(trace.INVALID_SPAN), (Link(origin),)


def _of_server(request: ConnectRequest) -> Attributes:
    attributes: dict[str, str | int] = {"db.system.name": request.system}
    if request.host is not None:
        attributes["server.address"] = request.host
        if request.port is not None and not request.host.startswith("/"):
            attributes["server.port"] = request.port
    return attributes


def _of_key(key: TokenKey) -> Attributes:
    return {"server.address": key.host, "server.port": key.port, "cloud.region": key.region}


def _of_error(error: BaseException) -> Attributes:
    kind = type(error)
    code = getattr(error, "sqlstate", None)
    if kind.__module__ == "pymysql.err" and error.args and isinstance(error.args[0], int):
        code = str(error.args[0])  # aiomysql's errors have MySQL's number
    if isinstance(code, str):
        return {"error.type": code, "db.response.status_code": code}
    return {
        "error.type": kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    }
