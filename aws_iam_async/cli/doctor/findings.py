"""What is examined, and what the examination has found so far."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from aws_iam_async.cli.doctor.sts import Identity
from aws_iam_async.credentials.snapshot import Snapshot
from aws_iam_async.endpoints import RdsEndpoint
from aws_iam_async.errors import RegionError
from aws_iam_async.plugins.iam.login import Login
from aws_iam_async.request import ConnectRequest

__all__ = ["Findings", "Target"]


@dataclass(frozen=True, kw_only=True)
class Target:
    """What is examined.

    Attributes:
        dsn: As for ``connect()``.
        options: Options of ``connect()`` that go with it, ``driver`` included.
        timeout: Seconds that each question to the network may take.
        asks_sts: Whether to ask AWS STS who the credentials belong to.
    """

    dsn: str
    options: Mapping[str, Any]
    timeout: float
    asks_sts: bool


class Findings:
    """What was found, each attribute by the step that its comment names.

    A step reads only what the steps that it needs have set.

    Args:
        target: What is examined.
        closing: Closes what a step leaves open for the next ones.
    """

    driver: str  # driver
    request: ConnectRequest  # options, and endpoint where it looks one up
    login: Login | RegionError  # endpoint
    endpoint: RdsEndpoint | None  # endpoint: what the name says that is signed for
    signed: Login  # region
    snapshot: Snapshot  # credentials
    identity: Identity | None  # identity; None: not asked
    secured: ConnectRequest  # token: with the token in it, and the TLS that it needs
    addresses: tuple[str, ...]  # dns
    connection: Any  # login: the driver's own

    def __init__(self, target: Target, closing: AsyncExitStack) -> None:
        self.target = target
        self.closing = closing
        self.identity = None
