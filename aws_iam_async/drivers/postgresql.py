"""What the drivers for PostgreSQL share."""

import os
import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from aws_iam_async.errors import InsecureTransportError
from aws_iam_async.request import ConnectRequest, Role

READ_ONLY_TRANSACTION = "25006"
# PostgreSQL 14 and newer report both.
READ_ONLY_PARAMETERS = ("in_hot_standby", "default_transaction_read_only")
IS_READER = """
SELECT pg_is_in_recovery() OR EXISTS (
    SELECT FROM pg_settings WHERE name = 'default_transaction_read_only' AND setting = 'on'
    AND source IN ('configuration file', 'command line'))
"""


class PostgresqlDriver(ABC):
    connect_options: frozenset[str]
    system = "postgresql"
    default_port = 5432
    # PostgreSQL 17 requires it where TLS comes first.
    alpn: str | None = "postgresql"
    aliases: Mapping[str, str] = MappingProxyType({"dbname": "database"})
    variables: Mapping[str, str] = MappingProxyType(
        {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "database": "PGDATABASE"}
    )

    def refuses_write(self, error: BaseException) -> bool:
        """SQLSTATE 25006: the server is in recovery, its transactions are read-only, or the caller made this one so."""
        return getattr(error, "sqlstate", None) == READ_ONLY_TRANSACTION

    async def server_role(self, connection: Any, *, ask: bool = False) -> Role:
        """A server is a reader if it is in recovery, or if its configuration makes transactions read-only."""
        if not ask and self.reported_parameter(connection, "in_hot_standby") == "on":
            return "reader"
        if not ask and all(self.reported_parameter(connection, name) == "off" for name in READ_ONLY_PARAMETERS):
            return "writer"
        return "reader" if await self.fetch_value(connection, IS_READER) else "writer"

    @abstractmethod
    def reported_parameter(self, connection: Any, name: str) -> str | None: ...

    @abstractmethod
    async def fetch_value(self, connection: Any, sql: str) -> Any:
        """Run a query on an idle connection, and leave it idle."""

    def candidates(self, request: ConnectRequest) -> Iterable[ConnectRequest]:
        """Return a request for each host. With ``prefer-standby`` each host has a second turn.

        A driver cannot try them by itself: it would send the token that was signed for one host to the others.
        """
        if not request.alternates:
            return (request,)
        hosts = [(request.host, request.port), *request.alternates]
        if "load_balance_hosts" in self.connect_options and _option(request, "load_balance_hosts") == "random":
            random.shuffle(hosts)
        turns: tuple[dict[str, str], ...] = ({},)
        if _option(request, "target_session_attrs") == "prefer-standby":
            turns = ({"target_session_attrs": "standby"}, {"target_session_attrs": "any"})
        return [
            request.replace(host=host, port=port, alternates=(), driver_options={**request.driver_options, **changes})
            for changes in turns
            for host, port in hosts
        ]


def _option(request: ConnectRequest, name: str) -> Any:
    return request.driver_options.get(name) or os.environ.get(f"PG{name.replace('_', '').upper()}")


def no_tls_error(request: ConnectRequest) -> InsecureTransportError:
    return InsecureTransportError(
        f"{request.host}:{request.port} offers no TLS, so the secret was not sent. Connect to the database itself or"
        " through a tunnel that passes TLS through."
    )


def method_error(request: ConnectRequest, demand: str) -> InsecureTransportError:
    """Return the error for a server that demands anything but the token itself."""
    return InsecureTransportError(
        f"{request.host}:{request.port} {demand} for user {request.user!r}, but a token is only sent as plaintext."
        " Check that the user exists there and may log in with IAM"
        f" (on RDS: GRANT rds_iam TO {request.user})."
    )
