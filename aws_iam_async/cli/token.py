"""``token``: print a token for programs that cannot sign their own."""

import asyncio
from typing import Any

import click

import aws_iam_async
from aws_iam_async import ConnectRequest
from aws_iam_async.cli.connection import RequestOnly, connection_arguments


@click.command(short_help="Print an IAM token, for psql, mysql or any other client.")
@connection_arguments
def token(dsn: str, options: dict[str, Any]) -> None:
    """Print an IAM token for psql, mysql or any other client. It is valid for 15 minutes.

    The DSN's query takes every option that connect() knows. For example:

    postgresql://app@name.xyz.us-east-1.rds.amazonaws.com/shop
    """
    click.echo(asyncio.run(_secured_request(dsn, options)).password)


async def _secured_request(dsn: str, options: dict[str, Any]) -> ConnectRequest:
    request: ConnectRequest = await aws_iam_async.connect(dsn, plugins=["iam", RequestOnly()], **options)
    return request
