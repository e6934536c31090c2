"""Which RDS endpoint another name stands for: ``iam_host="auto"``."""

import asyncio
import socket

from aws_iam_async import endpoints
from aws_iam_async.errors import ConfigurationError

__all__ = ["endpoint_behind"]


async def endpoint_behind(host: str | None) -> str:
    """Ask the resolver for a host's canonical name, which is where a chain of CNAME records ends.

    It is asked every time, off the loop: who may answer from memory, and for how long, is for the resolver to decide.

    Args:
        host: The name to dial: a domain of one's own, or an RDS endpoint.

    Returns:
        The RDS endpoint; ``host`` itself, with no question asked, if it is one whose name says its region.

    Raises:
        ConfigurationError: It has no canonical name, or one that is no RDS endpoint. The message says what was found.
        OSError: The name cannot be resolved now.
    """
    name = endpoints.normalise(host, "host")
    if endpoints.is_ip(name):
        raise ConfigurationError(
            "iam_host='auto' looks up a name, and host is an IP address: pass iam_host= with the endpoint behind it"
        )
    endpoint = endpoints.parse(name)
    if endpoint is not None and endpoint.region is not None:
        return name
    found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME)
    # getaddrinfo(3): the first of the answers holds it.
    canonical = found[0][3] if found else ""
    behind = endpoints.parse(canonical)
    if behind is None or behind.region is None:
        raise ConfigurationError(
            f"iam_host='auto': {name!r} stands for {canonical!r}, which is not the name of an RDS endpoint in a region;"
            " pass iam_host= with the endpoint that it leads to"
        )
    return behind.host
