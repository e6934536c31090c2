"""Tokens, as OpenTelemetry sees them."""

from contextlib import AbstractContextManager

from opentelemetry import trace
from opentelemetry.trace import SpanKind

from aws_iam_async.plugins.otel import instruments
from aws_iam_async.plugins.otel.operation import Attributes, operation
from aws_iam_async.tokens.key import TokenKey

__all__ = ["generation", "rejection"]


def generation(key: TokenKey) -> AbstractContextManager[None]:
    """Return the span of a generation, in the foreground or in the background."""
    attributes = _attributes(key)

    def ended(seconds: float, failure: Attributes) -> None:
        instruments.generation_time.record(seconds, {**attributes, **failure})

    return operation("generate IAM token", SpanKind.INTERNAL, attributes, ended)


def rejection(key: TokenKey) -> None:
    """Count a rejection, and mark the moment in the span of the connect: it tries once more."""
    attributes = _attributes(key)
    instruments.rejections.add(1, attributes)
    trace.get_current_span().add_event("IAM token rejected", attributes)


def _attributes(key: TokenKey) -> Attributes:
    return {"server.address": key.host, "server.port": key.port, "cloud.region": key.region}
