"""All that the ``iam`` plugin makes of a request, worked out once for each request."""

import weakref
from collections.abc import Callable
from typing import NamedTuple

from aws_iam_async.credentials.source import CredentialsSource, source
from aws_iam_async.plugins.iam import login
from aws_iam_async.request import ConnectRequest
from aws_iam_async.tls import Tls
from aws_iam_async.tokens.key import TokenKey

__all__ = ["Plan", "Plans", "plan", "whose"]


class Plan(NamedTuple):
    """How to log in.

    Attributes:
        key: What the token is signed for.
        secured: The TLS that the token needs.
    """

    key: TokenKey
    secured: Tls


class Plans:
    """Plans, each kept as long as its request: few requests make many connections, a pool all of its own with one.

    Args:
        begin: Is told of each new one.
    """

    def __init__(self, begin: Callable[[Plan], object]) -> None:
        self._begin = begin
        # By identity: somebody's own kind of request may compare as it likes.
        self._kept: dict[int, tuple[weakref.ref[ConnectRequest], Plan]] = {}

    def of(self, request: ConnectRequest) -> Plan:
        """Return the request's plan.

        Raises:
            ConfigurationError: An option is wrong or missing.
        """
        key = id(request)
        kept = self._kept.get(key)
        if kept is not None and kept[0]() is request:
            return kept[1]
        made = plan(request)
        self._kept[key] = weakref.ref(request, lambda _: self._kept.pop(key, None)), made
        self._begin(made)
        return made


def plan(request: ConnectRequest) -> Plan:
    """Work a plan out.

    Raises:
        ConfigurationError: An option is wrong or missing.
    """
    credentials = whose(request)
    signed = login.read(request)
    key = TokenKey(signed.host, signed.port, signed.user, signed.region, credentials, signed.expiration)
    return Plan(key, request.tls.secured(signed.server_name))


def whose(request: ConnectRequest) -> CredentialsSource:
    """Tell whose credentials sign the token.

    Raises:
        ConfigurationError: ``profile`` or ``credentials`` is wrong.
    """
    return source(profile=request.options.get("profile"), credentials=request.options.get("credentials"))
