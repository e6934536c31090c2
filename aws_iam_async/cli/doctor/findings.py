"""What the doctor examines, what its steps find out, and how each step ends."""

import re
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from aws_iam_async import drivers
from aws_iam_async.cli.connection import plugin_for
from aws_iam_async.cli.doctor.sts import Identity
from aws_iam_async.credentials.credentials import Snapshot
from aws_iam_async.endpoints import Endpoint
from aws_iam_async.errors import RegionError
from aws_iam_async.request import ConnectRequest
from aws_iam_async.tls import Tls
from aws_iam_async.tokens.token import Token, TokenKey


@dataclass(frozen=True, kw_only=True)
class Target:
    dsn: str
    options: Mapping[str, Any]  # of connect()
    timeout: float  # seconds to wait for each answer from the network
    asks_sts: bool

    @property
    def plugin(self) -> str:
        """The plugin that logs in, ``"iam"`` or ``"secrets_manager"``."""
        return plugin_for(self.dsn, self.options)


class Findings:
    """What is known so far. The comment of each attribute names the step that sets it.

    A step reads only the findings of the steps that it needs. What it leaves open for later steps, ``closing`` closes.
    """

    driver: str  # driver
    request: ConnectRequest  # options; endpoint, if it resolves an alias; secret, with what the secret holds
    endpoint: Endpoint | None  # endpoint: the signed host, parsed
    region_error: RegionError | None  # endpoint
    signing_target: TokenKey  # endpoint, unless there is a region_error
    tls: Tls  # the same; secret
    snapshot: Snapshot  # credentials
    identity: Identity | None  # identity; None if STS was not asked or did not answer
    token: Token  # token
    addresses: tuple[str, ...]  # dns
    address: str  # tcp: the first one that answered
    connection: Any  # login: the driver's own

    def __init__(self, target: Target, closing: AsyncExitStack) -> None:
        self.target = target
        self.closing = closing
        self.region_error = None
        self.identity = None

    @property
    def system(self) -> str:
        """The database system of the driver, ``"postgresql"`` or ``"mysql"``."""
        return drivers.loaded(self.driver).system


@dataclass(frozen=True)
class Certificate:
    """A certificate, with the common names of its subject and issuer."""

    subject: str
    issuer: str
    names: tuple[str, ...]  # host names and addresses
    not_before: datetime
    not_after: datetime

    def __str__(self) -> str:
        names = ", ".join(self.names) or self.subject
        return f"a certificate for {names} from {self.issuer}, {self.not_before:%Y-%m-%d} to {self.not_after:%Y-%m-%d}"


class Status(StrEnum):
    PASSED = "passed"
    WARNING = "warning"  # passed, with a problem that does not prevent the login
    FAILED = "failed"
    NOT_REACHED = "not-reached"  # skipped, since a step that it needs has failed


@dataclass(frozen=True)
class Advice:
    """A likely cause and what to do about it."""

    cause: str  # a name for programs, such as clock-skew
    text: str  # the problem in one sentence, then the remedy, then details
    code: str | None = None  # SQL, a policy or a command to copy
    certain: bool = field(default=False, compare=False)  # the server refuses every login with this problem

    @property
    def summary(self) -> str:
        """The cause, the problem and the remedy, for one line."""
        sentences = re.split(r"(?<=\.) (?=[A-Z])", self.text)[:2]
        return f"{self.cause.replace('-', ' ')}. {' '.join(sentences).removesuffix(':').removesuffix('.')}."


@dataclass(frozen=True)
class Passed:
    """What a successful step returns."""

    detail: str  # what the step saw, in one line
    warnings: tuple[Advice, ...] = ()


class StepFailedError(Exception):
    """A step failed: what happened, in one line, and the likely causes, most likely first."""

    def __init__(self, detail: str, *advice: Advice) -> None:
        super().__init__(detail)
        self.detail = detail
        self.advice = advice


@dataclass(frozen=True)
class StepResult:
    """How a step ended. The advice holds the likely causes of a failure, or the warnings."""

    name: str
    status: Status
    detail: str = ""
    advice: tuple[Advice, ...] = ()
    seconds: float | None = None  # None if the step was not reached
