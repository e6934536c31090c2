"""The address of the host that is dialled."""

import asyncio
import functools
import socket

from aws_iam_async import endpoints, offload
from aws_iam_async.cli.doctor.advice import network as advice
from aws_iam_async.cli.doctor.findings import Findings
from aws_iam_async.cli.doctor.outcome import Passed, StepFailedError

__all__ = ["run"]


async def run(found: Findings) -> Passed:
    """Look it up."""
    host = str(found.request.host)
    if endpoints.is_ip(host):
        found.addresses = (host,)
        return Passed(f"{host} is an address")
    ask = functools.partial(socket.getaddrinfo, host, found.request.port, type=socket.SOCK_STREAM)
    try:
        async with asyncio.timeout(found.target.timeout):
            # Not by the loop: its executor's threads would have to be waited for at the end.
            answers = await offload.wait(offload.start(ask, name="DNS"))
    except TimeoutError as error:
        detail = f"{host}: no answer within {found.target.timeout:g} s"
        raise StepFailedError(detail, advice.resolver_silent()) from error
    except OSError as error:
        raise StepFailedError(f"{host}: {error.strerror or error}", advice.name_not_found(host)) from error
    found.addresses = tuple(dict.fromkeys(str(answer[4][0]) for answer in answers))
    return Passed(f"{host} is {', '.join(found.addresses)}")
