"""Tokens on any number of event loops, each with tokens and credentials of its own."""

import asyncio
import functools
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from random import random as random_number
from typing import Literal, NamedTuple, TypeAlias, get_args

from aws_iam_async.credentials.cache import CredentialsCache
from aws_iam_async.credentials.credentials import Credentials, Snapshot
from aws_iam_async.credentials.source import CredentialsSource
from aws_iam_async.errors import ConfigurationError, TokenError
from aws_iam_async.refresh_ahead import Reading, wall_clock
from aws_iam_async.statistics import Counters, Hooks, Statistics
from aws_iam_async.threads import LoopLocal
from aws_iam_async.tokens.sigv4 import presign
from aws_iam_async.tokens.token import Token, TokenKey, lifetime_of

Refresh: TypeAlias = Literal["on_use", "background"]


class _Entry(NamedTuple):
    token: Token
    signed_with: Reading[Snapshot]


class _Tokens(OrderedDict[TokenKey, _Entry]):
    """The tokens of one event loop, the last used at the end."""

    waiting = 0  # callers that wait for credentials


class TokenService:
    """Signs a token when credentials are available, and keeps it in a bounded LRU mapping for each event loop.

    Any number of concurrent callers share one token: the first one to resume signs it, the others find it. The wall
    clock is read at each call, so a process that was suspended is not served an expired token. The mapping holds
    ``maxsize`` tokens, and one more for each waiting caller.

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
        self.counters = Counters()
        self.hooks = Hooks()
        self._maxsize = maxsize
        self._tokens = LoopLocal(_Tokens)
        # It has no reference to this object: an unused service must be released at once, to warn if it was not closed.
        self._credentials = CredentialsCache(
            self.counters, self.hooks, clock=clock, random=random, background=refresh == "background"
        )
        if refresh not in get_args(Refresh):
            raise ConfigurationError(f'refresh must be "on_use" or "background", not {refresh!r}')

    async def get(self, key: TokenKey) -> tuple[Token, bool]:
        """Return a token, and whether its credentials were read for this very call.

        If they were not, the server may accept another token: see :meth:`reject`.
        """
        credentials, tokens = self._open_credentials(), self._tokens.here()
        entry, now = tokens.get(key), credentials.clock()
        if entry is not None and entry.token.lifetime.is_servable(now):
            tokens.move_to_end(key)
            self.counters.hits += 1
            if now >= entry.token.lifetime.refresh and (reading := credentials.ready(key.source)) is not None:
                entry = self._sign(tokens, key, reading)
                self.counters.refreshes += 1
            return entry.token, False
        before = credentials.latest(key.source)
        reading = credentials.ready(key.source) or await self._wait(tokens, key.source)
        entry, now = tokens.get(key), credentials.clock()
        just_read = reading is not before
        shared = entry is not None and entry.signed_with is reading  # signed by another caller who waited for the same
        if entry is None or not entry.token.lifetime.is_servable(now, after_wait=shared and just_read):
            entry = self._sign(tokens, key, reading)
        while len(tokens) > self._maxsize + tokens.waiting:
            tokens.popitem(last=False)
        return entry.token, entry.signed_with is not before

    def reject(self, key: TokenKey, token: Token) -> bool:
        """Drop a token that a server rejected, if it is still the cached one, and have credentials read again.

        Return whether there will be another token: not from a closed service.
        """
        if self._credentials.closed:
            return False
        self.hooks.rejection(key)
        tokens = self._tokens.here()
        entry = tokens.get(key)
        if entry is not None and entry.token is token:
            del tokens[key]
            self.counters.rejections += 1
        # Near the expiry of credentials each login has a token of its own, signed with the same key.
        latest = self._credentials.latest(key.source)
        same_key = latest is not None and latest.value.credentials.access_key == token.access_key_id
        if key not in tokens or same_key:
            self._credentials.reread(key.source)
        return True

    async def credentials(self, source: CredentialsSource) -> Snapshot:
        return (await self._open_credentials().get(source)).value

    def signing_credentials(self, source: CredentialsSource) -> AbstractAsyncContextManager[Credentials]:
        return self._open_credentials().signing_credentials(source)

    def live(self) -> int:
        """Return the number of cached tokens, on all loops. Safe to call from any thread."""
        return sum(map(len, list(self._tokens.values())))

    def statistics(self) -> Statistics:
        """Return what happened so far, on all loops. Safe to call from any thread."""
        # dict.values() is copied in one step; an OrderedDict's own iterator fails if its loop moves a key.
        entries = [entry for tokens in list(self._tokens.values()) for entry in list(dict.values(tokens))]
        return Statistics(
            **vars(self.counters),
            live_tokens=self.live(),
            next_token_expiry=_earliest(entry.token.lifetime.served_until for entry in entries),
            next_credentials_expiry=_earliest(self._credentials.expiries()),
        )

    async def aclose(self) -> None:
        """Stop timers and background renewals. Callers that wait for a token still get it."""
        self._tokens.clear()
        await self._credentials.aclose()

    async def _wait(self, tokens: _Tokens, source: CredentialsSource) -> Reading[Snapshot]:
        loop = asyncio.get_running_loop()
        start = loop.time()
        self.counters.waits += 1
        tokens.waiting += 1
        try:
            return await self._credentials.get(source)
        finally:
            tokens.waiting -= 1
            self.counters.wait_seconds += loop.time() - start

    def _sign(self, tokens: _Tokens, key: TokenKey, reading: Reading[Snapshot]) -> _Entry:
        credentials = reading.value.credentials
        with self.hooks.generation(key):
            lifetime = lifetime_of(
                self._credentials.clock(),
                expiration=key.expiration,
                credentials_expire=reading.expires,
                draw=self._credentials.random(),
                longest_life=key.kind.longest_life,
            )
            token = Token(presign(key, credentials, lifetime.issued), key.region, credentials.access_key, lifetime)
        self.counters.generations += 1
        entry = _Entry(token, reading)
        if key.expiration:
            tokens[key] = entry
            tokens.move_to_end(key)
        return entry

    def _open_credentials(self) -> CredentialsCache:
        if self._credentials.closed:
            raise TokenError("this token service is closed; create a new manager or provider")
        return self._credentials

    def __del__(self) -> None:
        if self._credentials.renews_by_timer:
            self._credentials.stop()
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


def _earliest(times: Iterable[float | None]) -> datetime | None:
    earliest = min((time for time in times if time is not None), default=None)
    return None if earliest is None else datetime.fromtimestamp(earliest, UTC)
