"""``token``: print a token, for programs that know nothing of IAM."""

import asyncio
from typing import Any

import click

import aws_iam_async
from aws_iam_async import ConnectNext, ConnectRequest
from aws_iam_async.cli.connection import connection_arguments


@click.command(short_help="Print an IAM token, for psql, mysql or any other client.")
@connection_arguments
def token(dsn: str, options: dict[str, Any]) -> None:
    """Print an IAM token for psql, mysql or any other client; it is good for 15 minutes.

    The DSN's query takes every option that connect() knows. For example:

    postgresql://app@name.xyz.us-east-1.rds.amazonaws.com/shop
    """
    click.echo(asyncio.run(_token(dsn, options)))


async def _token(dsn: str, options: dict[str, Any]) -> str:
    # All the rules of connect(), up to the point where it would dial.
    value: str = await aws_iam_async.connect(dsn, plugins=["iam", _InsteadOfDialling()], **options)
    return value


class _InsteadOfDialling:
    """The innermost plugin: hands back what a driver would have sent as the password."""

    async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:  # noqa: ARG002 - that is the point
        return request.password
