"""``check``: why does a login fail? The doctor's command."""

import asyncio
import io
import sys
from typing import Any

import click

from aws_iam_async.cli.connection import connection_arguments

FAILED = 1


@click.command(short_help="Find out why a login fails: look at every step on the way.")
@connection_arguments
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for each answer.",
)
@click.option("--no-sts", is_flag=True, help="Do not ask AWS STS who the credentials belong to.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def check(dsn: str, *, options: dict[str, Any], timeout: float, no_sts: bool, as_json: bool) -> None:
    """Log in to a database and look at every step on the way: what is there, what is wrong, and what to do about it.

    Exits with 1 if a step fails. Shows no secret. The DSN's query takes every option that connect() knows. For example:

    postgresql://app@name.xyz.us-east-1.rds.amazonaws.com/shop
    """
    # Not above: every call of the program imports this module.
    from aws_iam_async.cli.doctor.examination import examine  # noqa: PLC0415 - see above
    from aws_iam_async.cli.doctor.findings import Target  # noqa: PLC0415 - see above
    from aws_iam_async.cli.doctor.outcome import Status  # noqa: PLC0415 - see above

    target = Target(dsn=dsn, options=options, timeout=timeout, asks_sts=not no_sts)
    if as_json:
        from aws_iam_async.cli.doctor.report.document import as_json as document  # noqa: PLC0415 - see above

        results = asyncio.run(examine(target))
        click.echo(document(results))
    else:
        from rich.console import Console  # noqa: PLC0415 - see above

        from aws_iam_async.cli.doctor.report.terminal import TerminalReport  # noqa: PLC0415 - see above

        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        with TerminalReport(Console()) as report:
            results = asyncio.run(examine(target, begun=report.begun, ended=report.ended))
            report.finish(results)
    if any(result.status is Status.FAILED for result in results):
        raise click.exceptions.Exit(FAILED)
