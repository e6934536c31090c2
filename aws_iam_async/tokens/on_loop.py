"""All that it takes to make tokens on one event loop, put together.

Imported for the first token, so that it costs nobody who imports the package: it brings what it needs from elsewhere.
"""

import asyncio
from collections.abc import Callable
from random import random as random_numbers
from typing import Any

from aws_iam_async.credentials.service import CredentialsService
from aws_iam_async.credentials.snapshot import Snapshot
from aws_iam_async.secret import Bearer
from aws_iam_async.statistics import CredentialsCounters, TokenCounters
from aws_iam_async.tokens.cache import TokenCache
from aws_iam_async.tokens.key import TokenKey
from aws_iam_async.tokens.lifetime import plan
from aws_iam_async.tokens.sigv4 import presign
from aws_iam_async.tokens.timer import RefreshTimer
from aws_iam_async.tokens.token import Token
from aws_iam_async.tokens.watch import Watch

__all__ = ["LoopTokens"]


class LoopTokens:
    """One event loop's share of a token service.

    Args:
        background: Whether a timer keeps everything fresh, asked for or not.
        maxsize: Tokens held at most.
        clock: The wall clock.
        random: Random numbers in [0, 1), to spread refreshes; default: ``random.random``.
        tokens: Counts what happens to tokens.
        credentials: Counts what happens to credentials.
        watch: Sees tokens being generated.
    """

    def __init__(
        self,
        *,
        background: bool,
        maxsize: int,
        clock: Callable[[], float],
        random: Callable[[], float] | None,
        tokens: TokenCounters,
        credentials: CredentialsCounters,
        watch: Watch,
    ) -> None:
        random = random or random_numbers
        self.loop = asyncio.get_running_loop()
        self.credentials = CredentialsService(clock=clock, random=random, counters=credentials)
        self.timer = RefreshTimer(clock) if background else None
        self.cache = TokenCache(
            self._generate,
            generate_now=self._generate_now,
            maxsize=maxsize,
            clock=clock,
            random=random,
            counters=tokens,
            on_refresh_planned=None if self.timer is None else self.timer.plan,
        )
        self._clock = clock
        self._random = random
        self._counters = tokens
        self._watch = watch
        if self.timer is not None:
            self.timer.attach(self.cache, self.credentials)

    def stop(self) -> "list[asyncio.Task[Any]]":
        """Stop the timer and the background refreshes, and return the latter; on this loop's thread only."""
        if self.timer is not None:
            self.timer.cancel()
        tasks: list[asyncio.Task[Any]] = [*self.cache.refreshers(), *self.credentials.refreshers()]
        for task in tasks:
            task.cancel()
        return tasks

    async def _generate(self, key: TokenKey) -> Token:
        if self._watch.generation is None:
            return self._sign(key, await self.credentials.get(key.source))
        with self._watch.generation(key):
            return self._sign(key, await self.credentials.get(key.source))

    def _generate_now(self, key: TokenKey) -> Token | None:
        snapshot = self.credentials.ready(key.source)
        if snapshot is None:
            return None
        if self._watch.generation is None:
            return self._sign(key, snapshot)
        with self._watch.generation(key):
            return self._sign(key, snapshot)

    def _sign(self, key: TokenKey, snapshot: Snapshot) -> Token:
        credentials = snapshot.credentials
        lifetime = plan(
            self._clock(), expiration=key.expiration, credentials_expire=snapshot.expires, draw=self._random()
        )
        text = presign(
            host=key.host,
            port=key.port,
            user=key.user,
            region=key.region,
            access_key=credentials.access_key,
            secret_key=credentials.secret_key,
            session_token=credentials.session_token,
            issued=lifetime.issued,
        )
        self._counters.generations += 1
        return Token(Bearer(text), key.region, credentials.access_key, lifetime)
