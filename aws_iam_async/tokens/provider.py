"""Tokens without a connection."""

from dataclasses import dataclass, field
from typing import ClassVar, Protocol, Self

from aws_iam_async import endpoints
from aws_iam_async.credentials.source import AwsSession, CredentialsCallable, CredentialsSource, credentials_source
from aws_iam_async.errors import ConfigurationError
from aws_iam_async.statistics import Statistics
from aws_iam_async.tokens.service import Refresh, TokenService, default_service
from aws_iam_async.tokens.token import (
    DEFAULT_EXPIRATION,
    DSQL,
    RDS,
    TOKEN_KINDS,
    Token,
    TokenKey,
    TokenKind,
    parse_expiration,
)

# A token of Aurora DSQL is for no port.
_ANY_PORT = 5432


class TokenProvider(Protocol):
    """The interface of the token providers, for code that accepts other providers."""

    async def get_token(self, *, host: str, port: int, user: str, region: str | None = None) -> Token:
        """Return a token that lets ``user`` log in at ``host:port``.

        Args:
            host: The endpoint's name, as the server knows it.
            port: The endpoint's port.
            user: The database user.
            region: The region to sign for; default: the region in the host's name.
        """
        ...


# Each provider is a dataclass, so that errors about arguments name its own ``__init__``.
@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class _CachedTokenProvider:
    """What the providers of all kinds of tokens share."""

    _kind: ClassVar[TokenKind]

    profile: str | None = None
    credentials: AwsSession | CredentialsCallable | None = None
    role_arn: str | None = None
    external_id: str | None = None
    role_session_name: str | None = None
    expiration: float = DEFAULT_EXPIRATION
    refresh: Refresh = "on_use"
    _source: CredentialsSource = field(init=False)
    _service: TokenService = field(init=False)

    def __post_init__(self) -> None:
        source, expiration = credentials_source(**vars(self)), parse_expiration(self.expiration, "expiration")
        service = default_service() if self.refresh == "on_use" else TokenService(refresh=self.refresh)
        vars(self).update(_source=source, expiration=expiration, _service=service)

    async def _get_token(self, host: str, port: int, user: str, region: str | None) -> Token:
        host = endpoints.endpoint_name(host)
        endpoint = endpoints.parse(host)
        if endpoint is not None and endpoint.service != self._kind.service:
            raise ConfigurationError(
                f"host is an endpoint of {TOKEN_KINDS[endpoint.service].product}, and this provider signs tokens of"
                f" {self._kind.product}; use RdsTokenProvider for RDS and Aurora, DsqlTokenProvider for Aurora DSQL"
            )
        key = TokenKey(
            host,
            endpoints.parse_port(port),
            endpoints.parse_name(user, "user"),
            endpoints.signing_region(region, host, option="region"),
            self._source,
            self.expiration,
            self._kind,
        )
        token, _ = await self._service.get(key)
        return token

    def statistics(self) -> Statistics:
        """Return what happened so far, to all users of the cache."""
        return self._service.statistics()

    async def aclose(self) -> None:
        """Stop the renewal by timer. A provider with ``refresh="on_use"`` has nothing to stop."""
        if self.refresh != "on_use":
            await self._service.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class RdsTokenProvider(_CachedTokenProvider):
    """Provides RDS IAM tokens, from the same cache as ``connect()`` and ``create_pool()``.

    Args:
        profile: The AWS profile to sign with; default: the SDK's default chain.
        credentials: Alternatively an aiobotocore or aioboto3 session, or an async callable returning ``Credentials``.
        role_arn: The ARN of an IAM role to assume with these credentials.
        external_id: The external ID that the role's trust policy requires.
        role_session_name: The name of the role's session in AWS CloudTrail; default: ``"aws_iam_async"``.
        expiration: Seconds for which a token may be served from the cache, from 0 (no cache) to 900 (the default).
        refresh: ``"on_use"`` (the default), or ``"background"`` to keep credentials fresh by timer until ``aclose()``,
            with a cache of its own.

    Raises:
        ConfigurationError: An argument is invalid.
    """

    _kind = RDS

    async def get_token(self, *, host: str, port: int, user: str, region: str | None = None) -> Token:
        """Return a token that lets ``user`` log in at ``host:port``.

        Args:
            host: The endpoint's name, as the server knows it: not an address, an alias or a tunnel's name.
            port: The endpoint's port.
            user: The database user.
            region: The region to sign for; default: the region in the host's name.

        Raises:
            ConfigurationError: An argument is invalid, or the host is an endpoint of Aurora DSQL.
            RegionError: The host contains no region, and none was given.
            CredentialsError: There are no AWS credentials.
        """
        return await self._get_token(host, port, user, region)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class DsqlTokenProvider(_CachedTokenProvider):
    """Provides IAM tokens for Aurora DSQL, from the same cache as ``connect()`` and ``create_pool()``.

    Its arguments are those of :class:`RdsTokenProvider`: ``profile``, ``credentials``, ``role_arn``, ``external_id``,
    ``role_session_name``, ``expiration`` (in seconds) and ``refresh``.
    """

    _kind = DSQL

    async def get_token(self, *, host: str, port: int = _ANY_PORT, user: str, region: str | None = None) -> Token:
        """Return a token that lets ``user`` log in to a cluster.

        Args:
            host: The cluster's endpoint, as the server knows it: not an address, an alias or a tunnel's name.
            port: Accepted as in :class:`TokenProvider`. The token is valid at every port.
            user: The database user. For ``admin`` the token has the action ``DbConnectAdmin``, else ``DbConnect``.
            region: The region to sign for; default: the region in the host's name.

        Raises:
            ConfigurationError: An argument is invalid, or the host is an endpoint of RDS or Aurora.
            RegionError: The host contains no region, and none was given.
            CredentialsError: There are no AWS credentials.
        """
        return await self._get_token(host, port, user, region)
