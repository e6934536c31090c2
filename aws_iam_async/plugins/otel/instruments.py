"""The instruments. Those that OpenTelemetry's conventions for databases have bear its names, the others ours."""

import weakref
from collections.abc import Iterable

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Counter, Histogram, Observation

from aws_iam_async.plugins.otel.operation import SCOPE
from aws_iam_async.tokens.service import TokenService

__all__ = ["create_time", "failures", "generation_time", "observe", "rejections"]

# Seconds. Those of the conventions for db.client.operation.duration; the SDK's own are for milliseconds.
BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)

_meter = metrics.get_meter(*SCOPE)
_services: "weakref.WeakValueDictionary[int, TokenService]" = weakref.WeakValueDictionary()

create_time: Histogram = _meter.create_histogram(
    "db.client.connection.create_time",
    unit="s",
    description="The time it took to create a new connection.",
    explicit_bucket_boundaries_advisory=BUCKETS,
)
failures: Counter = _meter.create_counter(
    "aws_iam_async.connection.failures",
    unit="{connection}",
    description="Connections that could not be created.",
)
generation_time: Histogram = _meter.create_histogram(
    "aws_iam_async.token.generation.duration",
    unit="s",
    description="The time it took to generate a token, credentials included.",
    explicit_bucket_boundaries_advisory=BUCKETS,
)
rejections: Counter = _meter.create_counter(
    "aws_iam_async.token.rejections",
    unit="{login}",
    description="Logins that a server rejected, and that were tried once more.",
)


def observe(service: TokenService) -> None:
    """Count the tokens of a service among those in the cache, for as long as there is the service."""
    _services[id(service)] = service


def _cached(_options: CallbackOptions) -> Iterable[Observation]:
    # In the exporter's thread: a list of references is made at once, iterating would meet changes.
    services = [service for reference in _services.valuerefs() if (service := reference()) is not None]
    yield Observation(sum(service.live() for service in services))


_meter.create_observable_gauge(
    "aws_iam_async.token.cached", [_cached], unit="{token}", description="Tokens held in the cache."
)
