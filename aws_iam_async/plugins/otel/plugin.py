"""Connects, as OpenTelemetry sees them."""

from typing import Any

from opentelemetry.trace import SpanKind

from aws_iam_async.plugins.otel import instruments, tokens
from aws_iam_async.plugins.otel.operation import Attributes, operation
from aws_iam_async.plugins.protocol import ConnectNext
from aws_iam_async.request import ConnectRequest
from aws_iam_async.tokens.service import TokenService

__all__ = ["OtelPlugin"]

SYSTEMS = {"asyncpg": "postgresql", "aiomysql": "mysql"}


class OtelPlugin:
    """Makes a span of each connect and of each token that is generated for one, and measures both.

    Args:
        service: Makes and keeps the tokens.
    """

    def __init__(self, service: TokenService) -> None:
        service.watch.generation = tokens.generation
        service.watch.rejection = tokens.rejection
        instruments.observe(service)

    async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:
        """Connect within a span, whose parent is the caller's."""
        server = _server(request)
        place = ":".join(str(part) for name, part in server.items() if name != "db.system.name")
        target = request.database or place

        def ended(seconds: float, failure: Attributes) -> None:
            if failure:
                instruments.failures.add(1, {**server, **failure})
            else:
                pool = f"{place}/{request.database}" if request.database else place
                instruments.create_time.record(seconds, {**server, "db.client.connection.pool.name": pool})

        described = {**server, "db.operation.name": "connect"}
        if request.database:
            described["db.namespace"] = request.database
        with operation(f"connect {target}", SpanKind.CLIENT, described, ended):
            return await call_next(request)


def _server(request: ConnectRequest) -> Attributes:
    described: dict[str, str | int] = {"db.system.name": SYSTEMS[request.driver]}
    if request.host is not None:
        described["server.address"] = request.host
        if request.port is not None and not request.host.startswith("/"):
            described["server.port"] = request.port
    return described
