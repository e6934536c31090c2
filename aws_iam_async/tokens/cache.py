"""The tokens of one event loop. Callers wait only for credentials. Signing is synchronous."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from aws_iam_async.credentials.cache import CredentialsCache
from aws_iam_async.credentials.credentials import Snapshot
from aws_iam_async.credentials.source import CredentialsSource
from aws_iam_async.refresh_ahead import Reading
from aws_iam_async.statistics import Counters, Hooks
from aws_iam_async.tokens.sigv4 import presign
from aws_iam_async.tokens.token import Token, TokenKey, lifetime_of


class _Entry(NamedTuple):
    """A token, and the credentials that signed it."""

    token: Token
    signed_with: Reading[Snapshot]


class TokenCache:
    """Signs a token when credentials are available, and keeps it in a bounded LRU mapping. It has no task.

    Any number of concurrent callers share one token: the first one to resume signs it, the others find it. The wall
    clock is read at each call, so a process that was suspended is not served an expired token. The mapping holds
    ``maxsize`` tokens, and one more for each waiting caller.
    """

    def __init__(
        self,
        credentials: CredentialsCache,
        maxsize: int,
        clock: Callable[[], float],
        random: Callable[[], float],
        counters: Counters,
        hooks: Hooks,
    ) -> None:
        self.credentials = credentials
        self.maxsize = maxsize
        self.clock = clock
        self.random = random
        self.counters = counters
        self.hooks = hooks
        self._entries: OrderedDict[TokenKey, _Entry] = OrderedDict()
        self._waiting = 0

    async def get(self, key: TokenKey) -> tuple[Token, bool]:
        """Return a token, and whether its credentials were read for this very call. Then a retry does not help."""
        entry, now = self._entries.get(key), self.clock()
        if entry is not None and entry.token.lifetime.is_servable(now):
            self._entries.move_to_end(key)
            self.counters.hits += 1
            if now >= entry.token.lifetime.refresh and (reading := self.credentials.ready(key.source)) is not None:
                entry = self._sign(key, reading)
                self.counters.refreshes += 1
            return entry.token, False
        before = self.credentials.latest(key.source)
        reading = self.credentials.ready(key.source) or await self._wait(key.source)
        entry, now = self._entries.get(key), self.clock()
        just_read = reading is not before
        shared = entry is not None and entry.signed_with is reading  # signed by another caller who waited for the same
        if entry is None or not entry.token.lifetime.is_servable(now, after_wait=shared and just_read):
            entry = self._sign(key, reading)
        while len(self._entries) > self.maxsize + self._waiting:
            self._entries.popitem(last=False)
        return entry.token, entry.signed_with is not before

    def reject(self, key: TokenKey, token: Token) -> None:
        """Drop a token that a server rejected, if it is still the cached one, and have credentials read again."""
        entry = self._entries.get(key)
        if entry is not None and entry.token is token:
            del self._entries[key]
            self.counters.rejections += 1
        # Near the expiry of credentials each login has a token of its own, signed with the same key.
        latest = self.credentials.latest(key.source)
        same_key = latest is not None and latest.value.credentials.access_key == token.access_key_id
        if key not in self._entries or same_key:
            self.credentials.reread(key.source)

    def __len__(self) -> int:
        return len(self._entries)

    def next_expiry(self) -> float | None:
        """Return when the first token expires; from any thread."""
        # dict.values() is copied in one step; an OrderedDict's own iterator fails if its loop moves a key.
        entries = list(dict.values(self._entries))
        return min((entry.token.lifetime.served_until for entry in entries), default=None)

    async def _wait(self, source: CredentialsSource) -> Reading[Snapshot]:
        loop = asyncio.get_running_loop()
        start = loop.time()
        self.counters.waits += 1
        self._waiting += 1
        try:
            return await self.credentials.get(source)
        finally:
            self._waiting -= 1
            self.counters.wait_seconds += loop.time() - start

    def _sign(self, key: TokenKey, reading: Reading[Snapshot]) -> _Entry:
        credentials = reading.value.credentials
        with self.hooks.generation(key):
            lifetime = lifetime_of(
                self.clock(),
                expiration=key.expiration,
                credentials_expire=reading.expires,
                draw=self.random(),
                longest_life=key.kind.longest_life,
            )
            value = presign(
                key.kind,
                host=key.host,
                port=key.port,
                user=key.user,
                region=key.region,
                credentials=credentials,
                issued=lifetime.issued,
            )
            token = Token(value, key.region, credentials.access_key, lifetime)
        self.counters.generations += 1
        entry = _Entry(token, reading)
        if key.expiration:
            self._entries[key] = entry
            self._entries.move_to_end(key)
        return entry
