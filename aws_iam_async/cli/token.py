"""``token``: print a token for programs that cannot sign their own."""

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import click

from aws_iam_async import drivers
from aws_iam_async.cli.connection import connection_arguments, plugin_for
from aws_iam_async.drivers.postgresql import PostgresqlDriver
from aws_iam_async.drivers.protocol import Driver
from aws_iam_async.errors import ConfigurationError
from aws_iam_async.names import PLUGIN_OPTIONS
from aws_iam_async.options import OptionsReader
from aws_iam_async.options.dsn import parse
from aws_iam_async.plugins.iam import login_for, resolve_endpoint
from aws_iam_async.secret import Secret
from aws_iam_async.tokens.service import default_service


@click.command(short_help="Print an IAM token, for psql, mysql or any other client.")
@connection_arguments
def token(dsn: str, options: dict[str, Any]) -> None:
    """Print an IAM token for psql, mysql or any other client. It is valid for 15 minutes.

    The DSN's query takes every option that connect() knows. No database driver is needed. For example:

    postgresql://app@name.xyz.us-east-1.rds.amazonaws.com/shop
    """
    click.echo(asyncio.run(_token(dsn, options)))


async def _token(dsn: str, options: dict[str, Any]) -> Secret:
    if plugin_for(dsn, options) != "iam":
        raise ConfigurationError(
            "secret_id names a secret with a password, which is no token. Omit all secret_* options to print a token,"
            " or read the secret with: aws secretsmanager get-secret-value"
        )
    scheme = parse(dsn).scheme
    name = drivers.name_of(options.pop("driver", None), scheme)
    system = SYSTEMS.get(scheme.partition("+")[0])
    driver = await drivers.load(name) if system is None else _no_driver(name, *system)
    known = PLUGIN_OPTIONS["iam"] | PLUGIN_OPTIONS["role"]  # a service's DSN may have both
    request = OptionsReader(driver, "iam", known, {}).read(dsn, options, pool=False).request
    signed, _ = await default_service().get(login_for(await resolve_endpoint(request)).key)
    return signed.value


# By scheme: the database system, its usual port, and its clients' environment variables.
POSTGRESQL = (PostgresqlDriver.system, PostgresqlDriver.default_port, PostgresqlDriver.variables)
MYSQL: tuple[str, int, dict[str, str]] = ("mysql", 3306, {})
SYSTEMS = {"postgresql": POSTGRESQL, "postgres": POSTGRESQL, "mysql": MYSQL, "mariadb": MYSQL}
# Options of drivers that would count as misspelled options for TLS.
RESEMBLE_TLS_OPTIONS = frozenset(
    {"sql_mode", "sslcert", "sslcertmode", "sslcompression", "sslcrl", "sslcrldir", "sslkey", "sslnegotiation"}
    | {"sslpassword", "sslsni"}
)


def _no_driver(name: str, system: str, default_port: int, variables: Mapping[str, str]) -> Driver:
    """Return what it takes to read a DSN. Options of drivers count as settings, and a token has no use for them."""
    nothing: frozenset[str] = frozenset()
    reading = SimpleNamespace(
        name=name,
        system=system,
        default_port=default_port,
        variables=variables,
        alpn=None,
        aliases={"dbname": "database", "db": "database"},
        refused={},
        connect_options=nothing,
        pool_options=nothing,
        query_options=RESEMBLE_TLS_OPTIONS,
        query_has_settings=True,
        setting="",
        time_limit="timeout",
        read_query=lambda _query: {},
        check=lambda _request: None,
        login_rejected=lambda _error: False,
    )
    return cast("Driver", reading)
