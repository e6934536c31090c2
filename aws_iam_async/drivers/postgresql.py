"""What the drivers for PostgreSQL share."""

import os
import random
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from aws_iam_async.errors import InsecureTransportError
from aws_iam_async.request import ConnectRequest


class PostgresqlDriver:
    """The base class of the drivers for PostgreSQL."""

    connect_options: frozenset[str]
    system = "postgresql"
    default_port = 5432
    # PostgreSQL 17 requires it where TLS comes first.
    alpn: str | None = "postgresql"
    aliases: Mapping[str, str] = MappingProxyType({"dbname": "database"})
    variables: Mapping[str, str] = MappingProxyType(
        {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "database": "PGDATABASE"}
    )

    def candidates(self, request: ConnectRequest) -> Iterable[ConnectRequest]:
        """Return a request for each host. With ``prefer-standby`` each host has a second turn.

        A driver cannot try them by itself: it would send the token that was signed for one host to the others.
        """
        if not request.alternates:
            return (request,)
        hosts = [(request.host, request.port), *request.alternates]
        if "load_balance_hosts" in self.connect_options and _parameter(request, "load_balance_hosts") == "random":
            random.shuffle(hosts)
        turns: tuple[dict[str, str], ...] = ({},)
        if _parameter(request, "target_session_attrs") == "prefer-standby":
            turns = ({"target_session_attrs": "standby"}, {"target_session_attrs": "any"})
        return [
            request.replace(host=host, port=port, alternates=(), driver_options={**request.driver_options, **changes})
            for changes in turns
            for host, port in hosts
        ]


def _parameter(request: ConnectRequest, name: str) -> Any:
    return request.driver_options.get(name) or os.environ.get(f"PG{name.replace('_', '').upper()}")


def no_tls_error(request: ConnectRequest) -> InsecureTransportError:
    """Return the error for a server that offers no TLS."""
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
