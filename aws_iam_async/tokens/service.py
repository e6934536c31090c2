"""Tokens for everyone who shares a manager, on whichever event loop: the cache and the credentials behind it."""

import asyncio
import functools
import time
import warnings
from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from aws_iam_async import importing
from aws_iam_async.credentials.source import CredentialsSource
from aws_iam_async.errors import ConfigurationError, TokenError
from aws_iam_async.loop_local import LoopLocal
from aws_iam_async.statistics import CredentialsCounters, Statistics, TokenCounters
from aws_iam_async.tokens.key import TokenKey
from aws_iam_async.tokens.token import Token, utc
from aws_iam_async.tokens.watch import Watch

if TYPE_CHECKING:
    from datetime import datetime

    from aws_iam_async.credentials.snapshot import Snapshot
    from aws_iam_async.tokens.on_loop import LoopTokens

DEFAULT_MAXSIZE = 1024
_ON_LOOP = "aws_iam_async.tokens.on_loop"
Refresh: TypeAlias = Literal["on_use", "background"]


class TokenService:
    """Serves tokens on any number of event loops, each with a cache and credentials of its own.

    Args:
        refresh: ``"on_use"``: a token is renewed in the background when it is asked for late in its life. Nothing runs
            while nobody asks. ``"background"``: until ``aclose()`` a timer keeps the credentials of everyone who ever
            asked, and the tokens that were asked for in the last hour. Whoever asks for another does not wait either:
            it is signed on the spot.
        maxsize: Tokens held at most on each loop.
        clock: The wall clock.
        random: Random numbers in [0, 1), to spread refreshes; default: ``random.random``.

    Attributes:
        watch: Lets somebody see its tokens being generated and rejected, on all loops.

    Raises:
        ConfigurationError: ``refresh`` is neither.
    """

    def __init__(
        self,
        *,
        refresh: Refresh = "on_use",
        maxsize: int = DEFAULT_MAXSIZE,
        clock: Callable[[], float] = time.time,
        random: Callable[[], float] | None = None,
    ) -> None:
        if refresh not in get_args(Refresh):
            raise ConfigurationError(f'refresh must be "on_use" or "background", not {refresh!r}')
        self._closed = False
        self._token_counters = TokenCounters()
        self._credentials_counters = CredentialsCounters()
        self.watch: Watch = Watch()
        # Not a method of this object: a service that nobody holds any more must go at once, to warn if not closed.
        self._loops = LoopLocal(
            functools.partial(
                _loop_tokens,
                background=refresh == "background",
                maxsize=maxsize,
                clock=clock,
                random=random,
                tokens=self._token_counters,
                credentials=self._credentials_counters,
                watch=self.watch,
            )
        )

    def get(self, key: TokenKey) -> Coroutine[Any, Any, tuple[Token, bool]]:
        """Return (awaitably) a token, and whether both it and the credentials behind it were got for this very call.

        If not, a server that rejects it may accept the next one: see ``reject``.

        Raises:
            AwsIamError: No token could be generated.
        """
        if self._closed:
            raise TokenError("this token service is closed; make a new manager or provider")
        tokens = self._loops.get(asyncio.get_running_loop())
        return self._first(key) if tokens is None else tokens.cache.get(key)

    def reject(self, key: TokenKey, token: Token) -> None:
        """Drop a token from the cache that a server rejected; the next is signed with freshly read credentials."""
        if self._closed:
            return
        if self.watch.rejection is not None:
            self.watch.rejection(key)
        tokens = self._loops[asyncio.get_running_loop()]
        # Near the end of credentials each login has a token of its own, so that a newer one is at hand at every
        # rejection: signed with the same key.
        if tokens.cache.reject(key, token) or tokens.credentials.present(key.source, token.access_key_id):
            tokens.credentials.reread(key.source)

    async def credentials(self, source: CredentialsSource) -> "Snapshot":
        """Return the credentials that tokens are signed with now, and where they came from.

        Raises:
            AwsIamError: There are none.
        """
        await importing.off_the_loop(_ON_LOOP)
        return await self._loops[asyncio.get_running_loop()].credentials.get(source)

    def live(self) -> int:
        """Return how many tokens are held now, on all loops; from any thread."""
        return sum(tokens.cache.live() for tokens in self._loops.states())

    def statistics(self) -> Statistics:
        """Return what has happened so far, on all loops."""
        loops = self._loops.states()
        return Statistics(
            connects=0,
            failures=0,
            generations=self._token_counters.generations,
            hits=self._token_counters.hits,
            waits=self._token_counters.waits,
            wait_seconds=self._token_counters.wait_seconds,
            refreshes=self._token_counters.refreshes,
            refresh_failures=self._token_counters.refresh_failures,
            rejections=self._token_counters.rejections,
            credentials_loads=self._credentials_counters.loads,
            credentials_failures=self._credentials_counters.failures,
            live_tokens=self.live(),
            next_token_expiry=_first(tokens.cache.next_expiry() for tokens in loops),
            next_credentials_expiry=_first(tokens.credentials.next_expiry() for tokens in loops),
        )

    async def _first(self, key: TokenKey) -> tuple[Token, bool]:
        await importing.off_the_loop(_ON_LOOP)
        tokens = self._loops[asyncio.get_running_loop()]
        if self._closed:  # meanwhile: who waits still gets one
            tokens.stop()
        return await tokens.cache.get(key)

    async def aclose(self) -> None:
        """Stop every timer and background refresh. Whoever waits for a token still gets it."""
        self._closed = True
        here = self._loops.pop(asyncio.get_running_loop(), None)
        for elsewhere in self._loops.states():
            if not elsewhere.loop.is_closed():
                elsewhere.loop.call_soon_threadsafe(elsewhere.stop)
        if here is not None:
            await asyncio.gather(*here.stop(), return_exceptions=True)
            await here.cache.cancelled_ones_end()
            await here.credentials.cancelled_ones_end()

    def __del__(self) -> None:
        running = [
            tokens.timer
            for tokens in (self._loops.states() if hasattr(self, "_loops") else ())
            if tokens.timer is not None and tokens.timer.running and not tokens.loop.is_closed()
        ]
        for timer in running:
            timer.cancel()
        if running:
            warnings.warn(
                'a PluginManager or RdsTokenProvider with refresh="background" was never closed; await its aclose() or'
                " use async with",
                ResourceWarning,
                source=self,
                stacklevel=2,
            )


@functools.cache
def default_service() -> TokenService:
    """Return the service that everyone shares who asks for nothing special."""
    return TokenService()


def _loop_tokens(**share: Any) -> "LoopTokens":
    from aws_iam_async.tokens.on_loop import LoopTokens  # noqa: PLC0415 - a third of this package, for those who log in

    return LoopTokens(**share)


def _first(times: "Iterable[float | None]") -> "datetime | None":
    first = min((time for time in times if time is not None), default=None)
    return None if first is None else utc(first)
