"""Tokens without a connection."""

import functools
from typing import Protocol, Self

from aws_iam_async import endpoints
from aws_iam_async.credentials.source import AwsSession, CredentialsCallable, source
from aws_iam_async.errors import ConfigurationError, RegionError
from aws_iam_async.statistics import Statistics
from aws_iam_async.tokens.key import TokenKey
from aws_iam_async.tokens.lifetime import DEFAULT_EXPIRATION, parse_expiration
from aws_iam_async.tokens.service import Refresh, TokenService, default_service
from aws_iam_async.tokens.token import Token


class TokenProvider(Protocol):
    """Gives tokens: what ``RdsTokenProvider`` does, for code that wants to be handed another."""

    async def get_token(self, *, host: str, port: int, user: str, region: str | None = None) -> Token:
        """Return a token that lets ``user`` log in at ``host:port``.

        Args:
            host: The endpoint's name, as the server knows it.
            port: The endpoint's port.
            user: The database user.
            region: The region to sign for; default: the one in the host's name.
        """


class RdsTokenProvider:
    """Gives RDS IAM tokens, from the same cache that ``connect()`` and ``create_pool()`` use.

    Args:
        profile: The AWS profile to sign with; default: the SDK's default chain.
        credentials: Instead of it an aiobotocore or aioboto3 session, or an async callable returning ``Credentials``.
        expiration: Seconds that a token may be served from the cache, 0 (no cache) to 900.
        refresh: ``"on_use"``; or ``"background"``, to keep tokens fresh by timer until ``aclose()``, in a cache of its
            own.

    Raises:
        ConfigurationError: One of these cannot be used.
    """

    def __init__(
        self,
        *,
        profile: str | None = None,
        credentials: AwsSession | CredentialsCallable | None = None,
        expiration: float = DEFAULT_EXPIRATION,
        refresh: Refresh = "on_use",
    ) -> None:
        self._source = source(profile, credentials)
        self._expiration = parse_expiration(expiration, "expiration")
        self._owns_service = refresh != "on_use"
        self._service = TokenService(refresh=refresh) if self._owns_service else default_service()

    async def get_token(self, *, host: str, port: int, user: str, region: str | None = None) -> Token:
        """Return a token that lets ``user`` log in at ``host:port``.

        Args:
            host: The endpoint's name, as the server knows it: not an address, an alias or a tunnel's name.
            port: The endpoint's port.
            user: The database user.
            region: The region to sign for; default: the one in the host's name.

        Raises:
            ConfigurationError: One of these cannot be used.
            RegionError: The host names no region and none was given.
            CredentialsError: There are no AWS credentials.
        """
        try:
            place = _place(host, port, region)
        except TypeError:  # what cannot be hashed cannot be right either: let the rules say so
            place = _place.__wrapped__(host, port, region)
        host, port, region = place
        token, _ = await self._service.get(
            TokenKey(host, port, _checked_user(user), region, self._source, self._expiration)
        )
        return token

    def statistics(self) -> Statistics:
        """Return what has happened so far, to everyone who shares the cache."""
        return self._service.statistics()

    async def aclose(self) -> None:
        """Stop refreshing in the background. A provider that shares the common cache has nothing to stop."""
        if self._owns_service:
            await self._service.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


# Few places, many users. `typed`: True is no port, though it equals 1.
@functools.lru_cache(maxsize=64, typed=True)
def _place(host: str, port: int, region: str | None) -> tuple[str, int, str]:
    host = endpoints.normalise(host)
    if endpoints.is_ip(host):
        raise ConfigurationError(f"host {host!r} is an IP address: pass the endpoint's name, which is what is signed")
    return host, endpoints.parse_port(port), _region(host, region)


def _region(host: str, region: str | None) -> str:
    if region is not None:
        return endpoints.normalise_region(region, "region")
    endpoint = endpoints.parse(host)
    if endpoint is None or endpoint.region is None:
        raise RegionError(f"{host!r} does not say in which AWS region it is; pass region=")
    return endpoint.region


def _checked_user(user: object) -> str:
    if not isinstance(user, str) or not user:
        raise ConfigurationError("user must be the name of the database user to log in as")
    try:
        user.encode()
    except UnicodeEncodeError:
        raise ConfigurationError("user holds half of a character (a lone surrogate), which has no UTF-8 form") from None
    return str.__str__(user)  # str() and f-strings make its name of a member of a `class User(str, Enum)`
