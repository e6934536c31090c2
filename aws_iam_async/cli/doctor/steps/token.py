"""The token, made as ``connect()`` makes it."""

import time
from typing import Any

import aws_iam_async
from aws_iam_async import ConnectNext, ConnectRequest
from aws_iam_async.cli.doctor.findings import Findings
from aws_iam_async.cli.doctor.outcome import Passed
from aws_iam_async.tokens.lifetime import SIGNED_FOR

__all__ = ["run"]


async def run(found: Findings) -> Passed:
    """Sign it."""
    target, signed = found.target, found.signed
    found.secured = await aws_iam_async.connect(target.dsn, plugins=["iam", _InsteadOfDialling()], **target.options)
    expires = found.snapshot.expires
    seconds = SIGNED_FOR if expires is None else min(SIGNED_FOR, expires - time.time())
    return Passed(f"for {signed.user} at {signed.host}:{signed.port}, good for {seconds / 60:.0f} min")


class _InsteadOfDialling:
    """The innermost plugin: hands back what the driver would have got."""

    async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:  # noqa: ARG002 - that is the point
        return request
