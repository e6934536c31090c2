"""Tokens served at once, renewed before they expire, and generated once however many ask."""

import asyncio
import functools
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar

from aws_iam_async import backoff
from aws_iam_async.single_flight import SingleFlight
from aws_iam_async.statistics import TokenCounters
from aws_iam_async.tokens.key import TokenKey
from aws_iam_async.tokens.lifetime import BACKWARDS_TOLERANCE, good
from aws_iam_async.tokens.token import Token

T = TypeVar("T")

_log = logging.getLogger(__name__)

# Seconds. By timer, a token is kept fresh until nobody has asked for it for so long. Whoever comes later still does not
# wait: with credentials at hand one is signed on the spot.
LET_GO_AFTER = 3600.0


class _Slot:
    """The present token of one key."""

    token: Token | None = None
    # The bounds within which it is served without a second thought: before them it is from the future, after them a new
    # one is wanted.
    fresh_from: float = 0.0
    fresh_until: float = 0.0
    # Counts rejections, so that a generation can tell whether one came while it was under way.
    rejections: int = 0
    asked_at: float = 0.0
    failures: int = 0
    retry_at: float = 0.0
    refresher: "asyncio.Task[_Flown] | None" = None


class _Flown(NamedTuple):
    """What a flight brought, and the slot as it was when it began."""

    token: Token
    slot: _Slot
    rejections: int


class TokenCache:
    """The tokens of one event loop.

    At most one generation for each key is under way at any time. Between its refresh and its expiry a token is still
    served at once while the next one is generated in the background. Time is read from the wall clock at each call: a
    process that was frozen is not served what expired meanwhile.

    Args:
        generate: Makes a token, waiting for what that needs.
        generate_now: Makes a token if all that it needs is at hand. Nobody waits then, and nothing has to be shared.
        maxsize: Tokens held at most; the one that was not used for the longest time goes first. Keys with a generation
            under way are never lost.
        clock: The wall clock.
        random: Random numbers in [0, 1).
        counters: Counts what happens, but for generations, which those who make them count.
        on_refresh_planned: Is told when a token that was just stored wants to be refreshed.
    """

    def __init__(
        self,
        generate: Callable[[TokenKey], Awaitable[Token]],
        *,
        generate_now: Callable[[TokenKey], Token | None] = lambda _: None,
        maxsize: int,
        clock: Callable[[], float] = time.time,
        random: Callable[[], float],
        counters: TokenCounters,
        on_refresh_planned: Callable[[float], None] | None = None,
    ) -> None:
        self._generate = generate
        self._generate_now = generate_now
        self._maxsize = maxsize
        self._clock = clock
        self._random = random
        self._counters = counters
        self._on_refresh_planned = on_refresh_planned
        # A slot is in one of the two: _live holds those with a token, _pending those without a token or without room
        # in _live, for as long as their flight lasts.
        self._live: OrderedDict[TokenKey, _Slot] = OrderedDict()
        self._pending: dict[TokenKey, _Slot] = {}
        self._flights: SingleFlight[TokenKey, _Flown] = SingleFlight(self._fly)

    async def get(self, key: TokenKey) -> tuple[Token, bool]:
        """Return a token, and whether it is new through and through: no part of it was at hand before.

        That is so for whoever started a generation and for whoever waited for one that was under way; not for one that
        was signed on the spot with credentials at hand, which may have become worthless as a token may.

        Raises:
            AwsIamError: None could be generated. Each waiter gets an error of its own.
        """
        while True:
            now = self._clock()
            slot = self._live.get(key)
            if slot is not None:
                self._live.move_to_end(key)
            else:
                slot = self._pending.get(key)
            if slot is not None:
                slot.asked_at = now
                fresh = slot.fresh_from <= now < slot.fresh_until
                if slot.token is not None and (fresh or good(slot.token.lifetime, now)):
                    if not fresh:
                        self._refresh(key, slot, now)
                    self._counters.hits += 1
                    return slot.token, False
            elif key.expiration == 0:
                return await self._unshared(key)
            if key not in self._flights.flying and (token := self._generate_now(key)) is not None:
                if slot is None:
                    slot = _Slot()
                    slot.asked_at = now
                    self._store(slot, token)
                    self._keep(key, slot)
                else:
                    self._store(slot, token)
                    self._settle(key)
                return token, False
            try:
                flown = await self._waiting(self._flights.run(key))
            finally:
                self._settle(key)
            # Rejected meanwhile, or frozen between its signing and now, or the clock was set back: take the next one.
            lifetime = flown.token.lifetime
            usable = lifetime.issued - BACKWARDS_TOLERANCE <= self._clock() < lifetime.enforced
            if usable and flown.rejections == flown.slot.rejections:
                return flown.token, True

    def reject(self, key: TokenKey, token: Token) -> bool:
        """Drop a token that a server rejected, if it is still the one being served.

        A generation under way is not trusted either: it may be signing with the very credentials that were rejected.

        Returns:
            Whether nothing newer than the rejected token is at hand or under way.
        """
        slot = self._slot(key)
        if slot is None:
            return True
        if slot.token is not token:
            return False
        self._counters.rejections += 1
        slot.rejections += 1
        slot.token = None
        slot.fresh_from = slot.fresh_until = 0.0
        self._settle(key)
        return True

    def live(self) -> int:
        """Return how many tokens are held."""
        return len(self._live)

    def next_expiry(self) -> float | None:
        """Return when the first token that is held expires; from any thread."""
        # Another thread's look at an OrderedDict fails when its loop moves a key meanwhile; one at the dict that it is
        # copies all in one go.
        held = [slot.token for slot in list(dict.values(self._live))]
        return min((token.lifetime.expires for token in held if token is not None), default=None)

    def next_refresh(self) -> float | None:
        """Return when the first token that is held wants to be refreshed."""
        return min((max(slot.fresh_until, slot.retry_at) for slot in self._live.values()), default=None)

    def refresh_due(self) -> None:
        """Start refreshing every token that is past its refresh time, and let go of those that nobody asks for."""
        now = self._clock()
        for key, slot in list(self._live.items()):
            if slot.fresh_from <= now < slot.fresh_until or key in self._flights.flying:
                continue
            if now - slot.asked_at > LET_GO_AFTER:
                del self._live[key]
            else:
                self._refresh(key, slot, now)

    def refreshers(self) -> "list[asyncio.Task[_Flown]]":
        """Return the tasks that are refreshing in the background now."""
        slots = (*self._live.values(), *self._pending.values())
        return [slot.refresher for slot in slots if slot.refresher is not None]

    async def cancelled_ones_end(self) -> None:
        """Wait until every generation that was cancelled has ended."""
        await self._flights.cancelled_ones_end()

    async def _unshared(self, key: TokenKey) -> tuple[Token, bool]:
        """Return a token for this caller alone, which is not kept."""
        if (token := self._generate_now(key)) is not None:
            return token, False
        return await self._waiting(self._generate(key)), True

    async def _waiting(self, coming: Awaitable[T]) -> T:
        loop = asyncio.get_running_loop()
        since = loop.time()
        self._counters.waits += 1
        try:
            return await coming
        finally:
            self._counters.wait_seconds += loop.time() - since

    async def _fly(self, key: TokenKey) -> _Flown:
        slot = self._slot(key)
        if slot is None:
            slot = self._pending[key] = _Slot()
            slot.asked_at = self._clock()
        rejections = slot.rejections
        token = await self._generate(key)
        if slot.rejections == rejections:
            self._store(slot, token)
        return _Flown(token, slot, rejections)

    def _store(self, slot: _Slot, token: Token) -> None:
        lifetime = token.lifetime
        slot.token = token
        slot.fresh_from = lifetime.issued - BACKWARDS_TOLERANCE
        slot.fresh_until = lifetime.refresh
        if self._on_refresh_planned is not None:
            self._on_refresh_planned(lifetime.refresh)

    def _refresh(self, key: TokenKey, slot: _Slot, now: float) -> None:
        if slot.refresher is not None or not backoff.due(now, slot.retry_at) or key in self._flights.flying:
            return
        if (token := self._generate_now(key)) is not None:
            self._store(slot, token)
            self._counters.refreshes += 1
            slot.failures = 0
        else:
            slot.refresher = asyncio.get_running_loop().create_task(
                self._flights.run(key), name=f"aws_iam_async token refresh for {key.user}@{key.host}:{key.port}"
            )
            slot.refresher.add_done_callback(functools.partial(self._refreshed, key, slot))

    def _refreshed(self, key: TokenKey, slot: _Slot, task: "asyncio.Task[_Flown]") -> None:
        slot.refresher = None
        self._settle(key)
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            self._counters.refreshes += 1
            slot.failures = 0
            return
        self._counters.refresh_failures += 1
        slot.failures += 1
        now = self._clock()
        left = 0.0 if slot.token is None else slot.token.lifetime.expires - now
        slot.retry_at = now + backoff.delay(left, self._random())
        if slot.token is not None:
            _log.log(
                logging.WARNING if slot.failures == 1 else logging.DEBUG,  # once for each outage
                "The token for %s@%s:%d could not be refreshed; the present one is served until %s: %s",
                key.user, key.host, key.port, slot.token.expires_at, error,
            )  # fmt: skip

    def _slot(self, key: TokenKey) -> _Slot | None:
        return self._live.get(key) or self._pending.get(key)

    def _settle(self, key: TokenKey) -> None:
        """Put the key's slot where it belongs, after a flight has ended or its token has gone."""
        slot = self._pending.get(key)
        if slot is None:
            slot = self._live.get(key)
            if slot is None or slot.token is not None:
                return
            del self._live[key]
            if key in self._flights.flying:
                self._pending[key] = slot
        elif slot.token is not None:
            del self._pending[key]
            self._keep(key, slot)
        elif key not in self._flights.flying:
            del self._pending[key]

    def _keep(self, key: TokenKey, slot: _Slot) -> None:
        """Put a slot with a token last in the line, and the first one out if there is no room for all."""
        self._live[key] = slot
        if len(self._live) > self._maxsize:
            oldest, evicted = self._live.popitem(last=False)
            if oldest in self._flights.flying:
                self._pending[oldest] = evicted
