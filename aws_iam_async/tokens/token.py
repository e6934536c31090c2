"""Tokens as values: what they are signed for, how long they live, and their kinds. Pure; wall clock seconds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import NamedTuple

from aws_iam_async import endpoints
from aws_iam_async.credentials.source import CredentialsSource
from aws_iam_async.errors import ConfigurationError
from aws_iam_async.secret import Secret, redacted


@dataclass(frozen=True, eq=False)
class TokenKind:
    """What distinguishes the tokens of one AWS service."""

    service: str  # its name in the signature and in policies
    product: str  # its name in messages
    query: Callable[[str], Mapping[str, str]]  # the parameters for a database user, without those of the signature
    longest_life: int  # the seconds for which AWS accepts a token
    signs_port: bool  # whether a token is for one port of its host
    only_system: str | None  # the only database system that has this login
    refused: Mapping[str, str]  # options of plugins that have no use, with the reason
    resource: str  # the last part of the ARN in a policy, with the host's first label as {name}
    user_setup: str  # what makes a database user one with this login

    def netloc(self, host: str, port: int) -> str:
        """Return what a token is for, in its own form."""
        return f"{host}:{port}" if self.signs_port else host


RDS = TokenKind(
    service="rds-db",
    product="RDS",
    query=lambda user: {"Action": "connect", "DBUser": user},
    longest_life=900,
    signs_port=True,
    only_system=None,
    refused=MappingProxyType({}),
    resource="dbuser:RESOURCE_ID/{user}",
    user_setup="was granted rds_iam (PostgreSQL) or is identified with AWSAuthenticationPlugin (MySQL)",
)
# AWS accepts its tokens for up to a week, if they say so. These live no longer than those of RDS, as in botocore 1.43.
DSQL = TokenKind(
    service="dsql",
    product="Aurora DSQL",
    query=lambda user: {"Action": "DbConnectAdmin" if user == "admin" else "DbConnect"},
    longest_life=900,
    signs_port=False,
    only_system="postgresql",
    refused=MappingProxyType(
        {
            "iam_default_port": "tokens of Aurora DSQL are not for a port",
            "cluster_instance_host_pattern": "clusters of Aurora DSQL have no instances",
            "role": "every endpoint of Aurora DSQL takes writes",
        }
    ),
    resource="cluster/{name}",
    user_setup="is admin, or exists and was granted to the identity (AWS IAM GRANT)",
)
TOKEN_KINDS: Mapping[str, TokenKind] = MappingProxyType({kind.service: kind for kind in (RDS, DSQL)})


def kind_for(host: str) -> TokenKind:
    """Return the kind of token for a host: that of the endpoint's service, else that of RDS."""
    endpoint = endpoints.parse(host)
    return RDS if endpoint is None else TOKEN_KINDS[endpoint.service]


DEFAULT_EXPIRATION = 900
# Clocks differ, and a login takes time: a token is not served in the last seconds before the server refuses it.
MARGIN = 30.0
# A clock may be slewed back by this much before a token counts as one from the future.
BACKWARDS_TOLERANCE = 5.0


class TokenKey(NamedTuple):
    """Everything that a token depends on, and how long it may be cached."""

    host: str
    port: int
    user: str
    region: str
    source: CredentialsSource
    expiration: float = DEFAULT_EXPIRATION  # seconds; 0 for not at all
    kind: TokenKind = RDS

    @property
    def netloc(self) -> str:
        return self.kind.netloc(self.host, self.port)

    @property
    def action(self) -> str:
        """What a policy must allow the identity to do."""
        return f"{self.kind.service}:{self.kind.query(self.user)['Action']}"

    def resource(self, account: str = "ACCOUNT") -> str:
        """Return the ARN that a policy must allow the action on."""
        part = self.kind.resource.format(name=self.host.partition(".")[0], user=self.user)
        return f"arn:{endpoints.partition(self.region)}:{self.kind.service}:{self.region}:{account}:{part}"


class Lifetime(NamedTuple):
    """When a token was signed and how long it may be used, by the wall clock.

    Attributes:
        issued: When it was signed, in whole seconds since the epoch.
        refresh: From when on a new one is signed for the next caller, in seconds since the epoch.
        served_until: From when on it is not served from the cache any more, in seconds since the epoch.
        accepted_until: When the server refuses it, or AWS the credentials behind it, in seconds since the epoch.
    """

    issued: int
    refresh: float
    served_until: float
    accepted_until: float

    def is_servable(self, now: float, *, after_wait: bool = False) -> bool:
        """Return whether the token may be served now: the one rule for it.

        A token from the future may not: it was signed before the clock was set back, and would be served for too long.

        Args:
            now: The present, in seconds since the epoch.
            after_wait: Whether the caller waited for the credentials that signed it, so that there is nothing newer.
        """
        return self.issued - BACKWARDS_TOLERANCE <= now < (self.accepted_until if after_wait else self.served_until)


@dataclass(frozen=True, eq=False, repr=False)
class Token:
    """A password for one user on one database endpoint, valid for at most 15 minutes.

    Two tokens signed in the same second are the same string, so tokens are compared as objects, not by value.

    Attributes:
        value: The string to send as the password. Redacted in ``repr``.
        region: The region it was signed for.
        access_key_id: The id of the access key it was signed with.
        lifetime: When it was signed and how long it may be used, in seconds since the epoch.
    """

    value: Secret
    region: str
    access_key_id: str
    lifetime: Lifetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", redacted(self.value))

    @property
    def issued_at(self) -> datetime:
        """When it was signed, in whole seconds, in UTC."""
        return datetime.fromtimestamp(self.lifetime.issued, UTC)

    @property
    def refresh_at(self) -> datetime:
        """From when on a new one is signed for the next caller, in UTC."""
        return datetime.fromtimestamp(self.lifetime.refresh, UTC)

    @property
    def expires_at(self) -> datetime:
        """From when on it is no longer served, in UTC."""
        return datetime.fromtimestamp(self.lifetime.served_until, UTC)

    def __repr__(self) -> str:
        return f"<Token {self.region} {self.access_key_id} expires_at={self.expires_at:%Y-%m-%dT%H:%M:%SZ}>"


def lifetime_of(
    now: float, *, longest_life: int, expiration: float, credentials_expire: float | None, draw: float
) -> Lifetime:
    """Return the lifetime of a token that is signed now.

    A token signed with credentials in their last 30 s expires at once: it serves only the callers that waited for it.
    ``draw`` is a random number in [0, 1), so that processes that started together do not renew together.
    """
    issued = int(now)
    accepted_until: float = issued + longest_life
    if credentials_expire is not None:
        accepted_until = min(accepted_until, credentials_expire)
    served = max(0.0, min(expiration, accepted_until - MARGIN - issued))
    return Lifetime(issued, issued + served * (0.6 + 0.15 * draw), issued + served, accepted_until)


def parse_expiration(value: object, option: str, longest: int = RDS.longest_life) -> float:
    """Parse for how long a secret may be served from the cache: seconds, as a number or in decimal digits."""
    # Compared before it is converted: a huge int has no float.
    if isinstance(value, str) and value.isascii() and value.replace(".", "", 1).isdigit():
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= longest:
        raise ConfigurationError(f"{option} must be a number of seconds from 0 to {longest}")
    return float(value)
