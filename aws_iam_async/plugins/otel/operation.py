"""One operation as OpenTelemetry sees it: a span, how long it took, and how it failed."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from opentelemetry import context, trace
from opentelemetry.trace import Link, SpanKind, StatusCode

from aws_iam_async import __version__

__all__ = ["SCOPE", "Attributes", "operation"]

SCOPE = ("aws_iam_async", __version__)
Attributes: TypeAlias = Mapping[str, str | int]

_tracer = trace.get_tracer(*SCOPE)


@contextlib.contextmanager
def operation(
    name: str, kind: SpanKind, attributes: Attributes, ended: Callable[[float, Attributes], None]
) -> Iterator[None]:
    """Put a span around what happens inside.

    Args:
        name: The span's name.
        kind: Its kind.
        attributes: Its attributes.
        ended: Called at the end, within the span, with the seconds it took and what there is to say of a failure, which
            is nothing after a success.
    """
    parent, links = _surroundings()
    with _tracer.start_as_current_span(
        name,
        context=parent,
        kind=kind,
        attributes=attributes,
        links=links,
        # Not the exception itself: its text is the server's or the AWS SDK's, and may name users and hosts.
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        begin = time.perf_counter()
        try:
            yield
        except BaseException as error:
            failure = _failure(error)
            span.set_attributes(failure)
            span.set_status(StatusCode.ERROR)
            ended(time.perf_counter() - begin, failure)
            raise
        ended(time.perf_counter() - begin, {})


def _surroundings() -> tuple[context.Context | None, Sequence[Link]]:
    """Tell the parent of a new span, and what to link it to.

    Tasks and timers inherit the context of whoever set them off, however long ago: a span that has ended is no parent
    any more, but the new one says where it comes from.
    """
    current = trace.get_current_span()
    origin = current.get_span_context()
    if not origin.is_valid or origin.is_remote or not origin.trace_flags.sampled or current.is_recording():
        return None, ()
    return trace.set_span_in_context(trace.INVALID_SPAN), (Link(origin),)


def _failure(error: BaseException) -> Attributes:
    status = _status_code(error)
    if status is not None:
        return {"error.type": status, "db.response.status_code": status}
    kind = type(error)
    return {
        "error.type": kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    }


def _status_code(error: BaseException) -> str | None:
    """What the server calls the error: MySQL's number, which aiomysql's errors have from PyMySQL, or the SQLSTATE."""
    if type(error).__module__ == "pymysql.err":
        return str(error.args[0]) if error.args and isinstance(error.args[0], int) else None
    sqlstate = getattr(error, "sqlstate", None)
    return sqlstate if isinstance(sqlstate, str) else None
