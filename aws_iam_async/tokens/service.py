"""Tokens on any number of event loops, each with a cache and credentials of its own."""

import asyncio
import functools
import warnings
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from datetime import UTC, datetime
from random import random as random_number
from typing import Any, Literal, TypeAlias, TypeVar, get_args

from aws_iam_async.credentials.cache import CredentialsCache
from aws_iam_async.credentials.credentials import Credentials, Snapshot
from aws_iam_async.credentials.source import CredentialsSource
from aws_iam_async.errors import ConfigurationError, TokenError
from aws_iam_async.refresh_ahead import wall_clock
from aws_iam_async.statistics import Counters, Hooks, Statistics
from aws_iam_async.threads import LoopLocal
from aws_iam_async.tokens.cache import TokenCache
from aws_iam_async.tokens.token import Token, TokenKey

T = TypeVar("T")
Refresh: TypeAlias = Literal["on_use", "background"]


class TokenService:
    """Serves tokens from a cache on each event loop.

    With ``refresh="on_use"`` credentials and tokens are renewed when they are used late in their life, and nothing runs
    otherwise. With ``"background"`` a timer also renews the credentials until ``aclose()``.
    """

    def __init__(
        self,
        *,
        refresh: Refresh = "on_use",
        maxsize: int = 1024,
        clock: Callable[[], float] = wall_clock,
        random: Callable[[], float] = random_number,
    ) -> None:
        self.counters = counters = Counters()
        self.hooks = hooks = Hooks()
        self._closed = False

        # Without a reference to this object: an unused service must be released at once, to warn if it was not closed.
        def create_cache() -> TokenCache:
            credentials = CredentialsCache(clock, random, counters, hooks, background=refresh == "background")
            return TokenCache(credentials, maxsize, clock, random, counters, hooks)

        self._caches = LoopLocal(create_cache)
        if refresh not in get_args(Refresh):
            raise ConfigurationError(f'refresh must be "on_use" or "background", not {refresh!r}')

    def get(self, key: TokenKey) -> Coroutine[Any, Any, tuple[Token, bool]]:
        """Return an awaitable of a token, and of whether its credentials were read for this very call.

        If they were not, the server may accept another token: see :meth:`reject`.
        """
        return self._cache().get(key)

    def reject(self, key: TokenKey, token: Token) -> bool:
        """Drop a token that a server rejected; the next one is signed with credentials that are read again.

        Return whether there will be one: not from a closed service.
        """
        if not self._closed:
            self.hooks.rejection(key)
            self._cache().reject(key, token)
        return not self._closed

    async def credentials(self, source: CredentialsSource) -> Snapshot:
        return (await self._cache().credentials.get(source)).value

    async def call(self, source: CredentialsSource, call: Callable[[Credentials], Awaitable[T]]) -> T:
        return await self._cache().credentials.call(source, call)

    def live(self) -> int:
        """Return the number of cached tokens, on all loops. Safe to call from any thread."""
        return sum(map(len, list(self._caches.values())))

    def statistics(self) -> Statistics:
        """Return what happened so far, on all loops. Safe to call from any thread."""
        caches = list(self._caches.values())
        return Statistics(
            **vars(self.counters),
            live_tokens=self.live(),
            next_token_expiry=_first(cache.next_expiry() for cache in caches),
            next_credentials_expiry=_first(cache.credentials.next_expiry() for cache in caches),
        )

    async def aclose(self) -> None:
        """Stop timers and background renewals. Callers that wait for a token still get it."""
        self._closed = True
        here = self._caches.pop(asyncio.get_running_loop(), None)
        self._caches.stop_all(_stop)
        if here is not None:
            await here.credentials.aclose()

    def _cache(self) -> TokenCache:
        if self._closed:
            raise TokenError("this token service is closed; create a new manager or provider")
        return self._caches[asyncio.get_running_loop()]

    def __del__(self) -> None:
        caches = list(self._caches.items())
        if any(cache.credentials.renews_by_timer and not loop.is_closed() for loop, cache in caches):
            self._caches.stop_all(_stop)
            warnings.warn(
                'a PluginManager, RdsTokenProvider or DsqlTokenProvider with refresh="background" was not closed; await'
                " its aclose() or use async with",
                ResourceWarning,
                source=self,
                stacklevel=2,
            )


@functools.cache
def default_service() -> TokenService:
    """Return the service that ``connect()``, ``create_pool()``, SQLAlchemy engines and providers share."""
    return TokenService()


def _stop(cache: TokenCache) -> None:
    cache.credentials.stop()


def _first(times: Iterable[float | None]) -> datetime | None:
    first = min((time for time in times if time is not None), default=None)
    return None if first is None else datetime.fromtimestamp(first, UTC)
