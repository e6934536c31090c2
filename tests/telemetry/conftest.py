"""OpenTelemetry's own SDK, exporting to memory."""

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from aws_iam_async.testing import Emulator
from tests.credentials.conftest import AwsHome, aws_home, endpoint
from tests.login.conftest import (
    CredentialsEndpoint,
    Rds,
    credentials_endpoint,
    give_environment,
    mysql,
    postgresql,
    rds,
)

__all__ = [
    "AwsHome",
    "CredentialsEndpoint",
    "Emulator",
    "Rds",
    "Telemetry",
    "aws_home",
    "credentials_endpoint",
    "endpoint",
    "give_environment",
    "mysql",
    "postgresql",
    "rds",
]

Attributes = dict[str, Any]

# The attributes of a refused login. psycopg 3.3 has no SQLSTATE for it.
REFUSAL: dict[str, Attributes] = {
    "asyncpg": {"error.type": "28000", "db.response.status_code": "28000"},
    "aiomysql": {"error.type": "1045", "db.response.status_code": "1045"},
    "psycopg": {"error.type": "psycopg.OperationalError"},
}


class Telemetry:
    """The telemetry of a process since a point in time.

    Providers are set once in a process, and metrics go on from what they were: those here are differences.
    """

    def __init__(self, exporter: InMemorySpanExporter, reader: InMemoryMetricReader) -> None:
        self._exporter = exporter
        self._reader = reader
        self._before = self._counts()

    def spans(self, name: str = "") -> list[ReadableSpan]:
        """Those that have ended, in the order of their ends."""
        return [span for span in self._exporter.get_finished_spans() if span.name.startswith(name)]

    def span(self, name: str = "") -> ReadableSpan:
        (span,) = self.spans(name)
        return span

    def counts(self, metric: str) -> list[tuple[Attributes, float]]:
        """How much was added since with which attributes; of a histogram how many values."""
        counts = self._counts().get(metric, {})
        before = self._before.get(metric, {})
        return [
            (dict(attributes), count - before.get(attributes, 0))
            for attributes, count in counts.items()
            if count != before.get(attributes, 0)
        ]

    def value(self, metric: str) -> float:
        (value,) = self._counts()[metric].values()
        return value

    def metrics(self) -> dict[str, list[Attributes]]:
        """What was added since, with its attributes; a gauge only if its value has changed."""
        counts = {name: self.counts(name) for name in self._counts()}
        return {name: [attributes for attributes, _ in added] for name, added in counts.items() if added}

    def everything(self) -> list[str]:
        data = self._reader.get_metrics_data()
        return [span.to_json() for span in self.spans()] + ([data.to_json()] if data else [])

    def _counts(self) -> dict[str, dict[Any, float]]:
        data = self._reader.get_metrics_data()
        return {
            metric.name: {
                frozenset((point.attributes or {}).items()): getattr(point, "count", getattr(point, "value", 0))
                for point in metric.data.data_points
            }
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@pytest.fixture(scope="session")
def exporters() -> tuple[InMemorySpanExporter, InMemoryMetricReader]:
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(tracers)
    metrics.set_meter_provider(MeterProvider([reader]))
    return exporter, reader


@pytest.fixture
def telemetry(exporters: tuple[InMemorySpanExporter, InMemoryMetricReader]) -> Iterator[Telemetry]:
    exporter, reader = exporters
    exporter.clear()
    yield Telemetry(exporter, reader)
    exporter.clear()
