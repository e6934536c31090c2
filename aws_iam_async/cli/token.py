"""``token``: print a token, for programs that know nothing of IAM."""

import argparse
import asyncio
from typing import Any

import aws_iam_async
from aws_iam_async import ConnectNext, ConnectRequest

HELP = "print an IAM token for psql, mysql or any other client; it is good for 15 minutes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The DSN, and where the credentials come from."""
    parser.add_argument(
        "dsn", help="for example postgresql://app@name.xyz.us-east-1.rds.amazonaws.com/shop?iam_region=us-east-1"
    )
    parser.add_argument("--profile", help="the AWS profile to sign with; default: the SDK's default chain")


def run(arguments: argparse.Namespace) -> int:
    """Print the token, and nothing else."""
    print(asyncio.run(_token(arguments.dsn, arguments.profile)))
    return 0


async def _token(dsn: str, profile: str | None) -> str:
    # All the rules of connect(), up to the point where it would dial.
    options = {} if profile is None else {"profile": profile}
    token: str = await aws_iam_async.connect(dsn, plugins=["iam", _InsteadOfDialling()], **options)
    return token


class _InsteadOfDialling:
    """The innermost plugin: hands back what a driver would have sent as the password."""

    async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:  # noqa: ARG002 - that is the point
        return request.password
