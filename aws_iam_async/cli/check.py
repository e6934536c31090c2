"""``check``: find out why a login fails."""

from typing import Any

import click

from aws_iam_async.cli.connection import connection_arguments


@click.command(short_help="Check every step of a login, and find out why it fails.")
@connection_arguments
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="Seconds to wait for each answer.",
)
@click.option("--no-sts", is_flag=True, help="Do not ask AWS STS for the identity behind the credentials.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def check(dsn: str, *, options: dict[str, Any], timeout: float, no_sts: bool, as_json: bool) -> None:
    """Log in to a database and check every step of the login. For each problem, say what to do about it.

    Exits with 1 if a step fails. Shows no secret. The DSN's query takes every option that connect() knows. For example:

    postgresql://app@name.xyz.us-east-1.rds.amazonaws.com/shop
    """
    from aws_iam_async.cli.doctor import report  # noqa: PLC0415 - only this command needs rich, which may be missing

    if not report.print_report(dsn, options, timeout=timeout, asks_sts=not no_sts, as_json=as_json):
        raise click.exceptions.Exit(1)
