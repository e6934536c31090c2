"""Values that are read once for all callers, renewed ahead of time, and used while their source fails.

With async-lru all callers of one key share one read. It is cancelled with the last of them. The pure rules for when to
read are at the end.
"""

import asyncio
import contextvars
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from random import random as random_number
from typing import Any, Generic, NamedTuple, TypeVar
from weakref import WeakValueDictionary

from async_lru import alru_cache

from aws_iam_async import threads
from aws_iam_async.errors import AwsIamError, copy_of

_log = logging.getLogger(__name__)

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Result = TypeVar("Result")

# All times are in seconds.
READ_TIMEOUT = 60.0  # long enough for a person with a security key
# It limits the reads after rejections, because the values may not be the cause.
REREAD_INTERVAL = 10.0
# Time enough to survive an outage of ten minutes, and another one an hour later. botocore 1.43 blocks its callers in
# the last ten minutes.
REFRESH_AHEAD = 700.0
CLOSE_TIMEOUT = 5.0  # for a source that is cancelled when the cache is closed
LOGIN_TIME = 5.0  # a value with less left may expire during the login
SHORTEST_RETRY_DELAY, LONGEST_RETRY_DELAY = 1.0, 600.0
URGENT = 120.0  # a short outage is over before the last two minutes
# A timer uses the monotonic clock, which stops while a machine sleeps. So it compares with the wall clock this often.
LONGEST_SLEEP = 60.0

MAX_KEYS = 256


def wall_clock() -> float:
    """Return the seconds since the epoch. Use it as a default: freezegun replaces ``time.time``, not its references."""
    return time.time()


class Reading(NamedTuple, Generic[Value]):
    """What a read returns: a value, and for how long to use it.

    Attributes:
        value: The value.
        expires: When it stops working, in seconds since the epoch; ``None``: unknown, or never.
        stale: Before this time, a renewal in the background starts, in seconds since the epoch; default: ``expires``.
            The value is used until ``expires``, while the renewal runs and if it fails.
    """

    value: Value
    expires: float | None = None
    stale: float | None = None


class _Entry(Generic[Key, Value]):
    """The state of one key; times by the wall clock."""

    reading: Reading[Value] | None = None
    read_at = -math.inf
    expires = -math.inf
    stale = -math.inf
    wait_from = -math.inf  # from then on callers wait for a new reading, if it can be had
    renew_at = -math.inf
    retry_at = -math.inf
    failures = 0
    # Reads that rejections need, and how many of them have ended.
    rereads_wanted = 0
    rereads_done = 0
    reread_at = -math.inf
    renewal: "asyncio.Task[Exception | None] | None" = None
    timer: asyncio.TimerHandle | None = None
    unclaimed: tuple[Any, int, float] | None = None  # what a thread read when its callers had left, and when

    def __init__(self, key: Key, read: Callable[..., Coroutine[Any, Any, Exception | None]]) -> None:
        self.key = key
        self.read_once = alru_cache(maxsize=None)(read)


class _LoopState(Generic[Key, Value]):
    """The entries and the reads of one event loop."""

    def __init__(self) -> None:
        self.entries: OrderedDict[Key, _Entry[Key, Value]] = OrderedDict()
        # Also those that only their callers keep: a key has one entry as long as it is used.
        self.used: WeakValueDictionary[Key, _Entry[Key, Value]] = WeakValueDictionary()
        self.reading: set[asyncio.Future[Reading[Value]]] = set()

    def stop(self) -> None:
        for entry in self.entries.values():
            for pending in (entry.renewal, entry.timer):
                if pending is not None:
                    pending.cancel()


class ReadingCache(Generic[Key, Value]):
    """Readings by key, on each event loop its own. With ``background`` a timer renews them until ``aclose()``."""

    error: type[AwsIamError] = AwsIamError  # for what is not one already, and for a read that does not answer

    def __init__(
        self,
        read: Callable[[Key], Awaitable[Reading[Value]]],
        *,
        clock: Callable[[], float] = wall_clock,
        random: Callable[[], float] = random_number,
        background: bool = False,
    ) -> None:
        self.clock = clock
        self.random = random
        self.closed = False
        self._background = background
        self._read_value = read
        self._loops: threads.LoopLocal[_LoopState[Key, Value]] = threads.LoopLocal(_LoopState)

    def renewal_failed(self, key: Key, error: Exception, failures: int) -> None:
        """Log that reads fail, ``failures`` of them since the last success, while the last value still works."""
        level = logging.WARNING if failures == 1 else logging.DEBUG  # once for each outage
        _log.log(level, "%r could not be read again; the last value stays in use: %s", key, error)

    async def get(self, key: Key) -> Reading[Value]:
        """Return what works, and wait only if there is nothing. Each read makes another object.

        Cancelling a caller does not affect the others. The last one to be cancelled cancels the read. Each caller gets
        an error of its own.
        """
        entry = self._entry(key)
        while (reading := self.ready(key)) is None:
            try:
                error = await self._shared_read(entry)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                await asyncio.sleep(0)  # the shared read was cancelled, not this caller; now async-lru drops it
                continue
            if entry.reading is not None and self.clock() < entry.expires:
                if entry.rereads_wanted == entry.rereads_done:
                    return entry.reading  # new, or after a failure one that still works
            elif error is not None:
                raise copy_of(error) from error.__cause__
        return reading

    def ready(self, key: Key) -> Reading[Value] | None:
        """Return what works, if there is something, and renew it if it is time."""
        entry = self._entry(key)
        fails = entry.failures > 0  # then callers use what they have until it expires, and a renewal tries again
        if self.clock() >= (entry.expires if fails else entry.wait_from):
            return None
        if entry.rereads_wanted != entry.rereads_done:
            return None
        self._renew_if_due(entry)
        return entry.reading

    def latest(self, key: Key) -> Reading[Value] | None:
        """Return what was read last, even if it has expired."""
        return self._entry(key).reading

    def expiries(self) -> list[float | None]:
        """Return when the present values of all loops expire. Safe from any thread."""
        return [entry.reading.expires for _, entry in self._all_entries() if entry.reading]

    def reread(self, key: Key) -> bool:
        """Make the next caller wait for a new read, because the present value was rejected.

        Return whether there will be one: not from a closed cache.
        """
        if self.closed:
            return False
        entry, now = self._entry(key), self.clock()
        if not 0 <= now - entry.reread_at < REREAD_INTERVAL:
            entry.rereads_wanted += 1
            entry.reread_at = now
        return entry.rereads_wanted != entry.rereads_done

    async def run_in_thread(self, key: Key, read: Callable[[], Result]) -> Result:
        """Run a blocking read of a key in its thread, or join it. A key never has two threads.

        It goes on when its callers are cancelled, and the next call gets the result. So ``read`` must end by itself,
        before ``READ_TIMEOUT``.
        """
        entry = self._entry(key)

        def read_unclaimed() -> None:
            rereads_wanted, started = entry.rereads_wanted, self.clock()
            entry.unclaimed = read(), rereads_wanted, started

        while True:
            if entry.unclaimed is not None:
                (value, rereads_wanted, started), entry.unclaimed = entry.unclaimed, None
                if rereads_wanted == entry.rereads_wanted and 0 <= self.clock() - started < READ_TIMEOUT:
                    return value  # type: ignore[no-any-return]  # of this very key
            await threads.run(read_unclaimed, name="read", share_as=entry)

    def stop(self) -> None:
        """Cancel timers and renewals of all loops, each in the thread of its loop."""
        self.closed = True
        self._loops.stop_all(_LoopState.stop)

    async def aclose(self) -> None:
        """Stop, and wait until the renewals and all cancelled reads of this loop have ended.

        It waits for at most ``CLOSE_TIMEOUT``. Callers that wait for a reading still get it.
        """
        here = self._loops.pop(asyncio.get_running_loop(), _LoopState())
        self.stop()
        here.stop()
        renewals = [entry.renewal for entry in here.entries.values() if entry.renewal is not None]
        await asyncio.gather(*renewals, return_exceptions=True)
        await asyncio.sleep(0)  # callers that were just cancelled have cancelled their reads now
        if ending := [task for task in here.reading if isinstance(task, asyncio.Task) and task.cancelling()]:
            await asyncio.wait(ending, timeout=CLOSE_TIMEOUT)

    @property
    def renews_by_timer(self) -> bool:
        return any(entry.timer and not loop.is_closed() for loop, entry in self._all_entries())

    def _all_entries(self) -> list[tuple[asyncio.AbstractEventLoop, _Entry[Key, Value]]]:
        # dict.values() is copied in one step; an OrderedDict's own iterator fails if its loop moves a key.
        loops = [(loop, list(dict.values(state.entries))) for loop, state in list(self._loops.items())]
        return [(loop, entry) for loop, entries in loops for entry in entries]

    def _renew_if_due(self, entry: _Entry[Key, Value]) -> None:
        """Start a renewal in the background, if it is time: the rule for when a renewal starts."""
        now = self.clock()
        running = entry.renewal is not None and not entry.renewal.done()
        is_due = now >= entry.renew_at or now < entry.read_at  # the clock was set back
        if is_due and is_retry_due(now, entry.retry_at) and not running:
            # In an empty context, like the timer: that of the caller, such as a web request, would live as long.
            entry.renewal = asyncio.create_task(
                self._shared_read(entry), name="aws_iam_async renewal", context=contextvars.Context()
            )

    async def _shared_read(self, entry: _Entry[Key, Value]) -> Exception | None:
        """Join the present read, or start one.

        Each read has a shared function of its own. async-lru 2.4 forgets a task when its last waiter is cancelled, and
        once more by its key when it has ended. In the same function that would drop the newer read.
        """
        if not entry.read_once.cache_contains(entry):
            entry.read_once = alru_cache(maxsize=None)(self._read)
        return await entry.read_once(entry)

    async def _read(self, entry: _Entry[Key, Value]) -> Exception | None:
        """Read into the entry. Return an error instead of raising it: each waiter gets a copy."""
        shared = entry.read_once
        await asyncio.sleep(0)  # an eager task (CPython 3.12) must not end before async-lru has stored it
        rereads_wanted = entry.rereads_wanted  # later ones are not answered by this read
        error: Exception | None = None
        try:
            reading = await self.read_in_time(entry.key)
            if reading.expires is not None and self.clock() >= reading.expires:  # its callers would read in a loop
                raise self.error(f"{entry.key!r} was read, but the value has expired; check the clock")
        except Exception as failure:  # noqa: BLE001 - returned
            error, now = failure, self.clock()
            if not isinstance(error, AwsIamError):
                error = self.error(f"{entry.key!r} could not be read: {type(failure).__name__}")
                error.__cause__ = failure
            entry.failures += 1
            entry.retry_at = now + retry_delay(entry.stale - now, entry.failures, self.random())
            if entry.reading is not None and now < entry.expires:
                self.renewal_failed(entry.key, error, entry.failures)
        else:
            entry.reading, entry.failures, entry.retry_at = reading, 0, -math.inf
            now = self.clock()
            entry.read_at = -math.inf if reading.stale is None else now
            entry.expires = math.inf if reading.expires is None else reading.expires
            entry.stale = entry.expires if reading.stale is None else min(reading.stale, entry.expires)
            entry.renew_at, entry.wait_from = renewal_times(now, entry.stale, entry.expires, self.random())
        entry.rereads_done = rereads_wanted
        self._set_timer(entry)
        shared.cache_invalidate(entry)  # nothing is awaited from here on, so no caller is lost
        return error

    async def read_in_time(self, key: Key) -> Reading[Value]:
        """Read once, for at most ``READ_TIMEOUT``."""
        reading = asyncio.ensure_future(self._read_value(key))  # waited for from outside: it may ignore a cancellation
        all_here = self._loops.here().reading
        all_here.add(reading)
        reading.add_done_callback(all_here.discard)
        reading.add_done_callback(lambda task: task.cancelled() or task.exception())  # retrieved, if no caller is left
        try:
            await asyncio.wait([reading], timeout=READ_TIMEOUT)
        except asyncio.CancelledError:
            if not reading.done() or reading.cancelled():
                raise  # a thread goes on, and the next caller waits for it
            # The last caller left in the pass of the loop in which the read ended.
        finally:
            reading.cancel()
        if reading.cancelled():
            raise self.error(f"{key!r} was cancelled from within")
        if not reading.done() or isinstance(reading.exception(), TimeoutError):
            raise self.error(f"{key!r} did not answer within {READ_TIMEOUT:.0f} s; the next call tries again")
        return reading.result()

    def _set_timer(self, entry: _Entry[Key, Value]) -> None:
        if entry.timer is not None:
            entry.timer.cancel()
            entry.timer = None
        if not self._background or self.closed or entry.renew_at == math.inf:
            return
        if self._loops.here().entries.get(entry.key) is not entry:
            return
        due = max(entry.renew_at, entry.retry_at) - self.clock()
        delay = min(max(due, SHORTEST_RETRY_DELAY), LONGEST_SLEEP)
        entry.timer = asyncio.get_running_loop().call_later(delay, self._on_timer, entry, context=contextvars.Context())

    def _on_timer(self, entry: _Entry[Key, Value]) -> None:
        self._renew_if_due(entry)
        self._set_timer(entry)

    def _entry(self, key: Key) -> _Entry[Key, Value]:
        here = self._loops.here()
        entry = here.used.get(key)
        if entry is None:
            entry = here.used[key] = _Entry(key, self._read)
        here.entries[key] = entry
        here.entries.move_to_end(key)
        if len(here.entries) > MAX_KEYS:
            _, evicted = here.entries.popitem(last=False)  # its waiting callers keep it
            if evicted.timer is not None:
                evicted.timer.cancel()
        return entry


def renewal_times(now: float, stale: float, expires: float, draw: float) -> tuple[float, float]:
    """Return when to renew a value in the background, and from when on callers wait for a new one.

    The renewal starts 700 s before the value is stale, but not before 4/5 of its life are over. It starts up to 35 s
    earlier at random, so that processes do not ask together. Callers wait in the last 5 s before the value expires, or
    the last tenth of a shorter life.
    """
    ahead = min(REFRESH_AHEAD, max(stale - now, 0.0) / 5)
    return stale - ahead * (1 + 0.05 * draw), expires - min(LOGIN_TIME, max(expires - now, 0.0) / 10)


def retry_delay(left: float, failures: int, draw: float) -> float:
    """Return the seconds to wait after a failed read, with ``left`` seconds until the present value is stale.

    The next try is when about two minutes are left, and after that when 60 to 75 % of the rest have passed. So there
    are few tries while nothing is urgent, and one a second at the end. After that the delay doubles with every failure.
    The delay is random, so that processes that started together do not return together.
    """
    if left <= 0:
        return min(SHORTEST_RETRY_DELAY * 2.0 ** min(failures - 1, 10) * (1 + 0.2 * draw), LONGEST_RETRY_DELAY)
    wait = max(left - URGENT * (1.2 - 0.4 * draw), left * (0.6 + 0.15 * draw))
    return min(max(wait, SHORTEST_RETRY_DELAY), LONGEST_RETRY_DELAY)


def is_retry_due(now: float, retry_at: float) -> bool:
    """Return whether ``retry_at`` has come. A clock that was set back must not delay the next try by hours."""
    return now >= retry_at or retry_at - now > LONGEST_RETRY_DELAY
