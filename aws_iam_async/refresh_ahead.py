"""Values that are read once for all callers, renewed ahead of time, and used while their source fails.

With async-lru all callers of one key share one read. It is cancelled with the last of them.
"""

import asyncio
import contextlib
import contextvars
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from contextlib import AbstractContextManager
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
# It limits the reads after rejected logins, because the values may not be the cause.
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
        stale: From when on callers wait for a newer value, in seconds since the epoch; default: ``expires``. A renewal
            in the background starts before that. If the read fails, the value is used until ``expires``.
    """

    value: Value
    expires: float | None = None
    stale: float | None = None


class _Entry(Generic[Key, Value]):
    """The state of one key; times by the wall clock."""

    reading: Reading[Value] | None = None
    use_from = -math.inf
    expires = -math.inf
    stale = -math.inf
    wait_from = -math.inf  # from then on callers wait for a new reading, if it can be had
    renew_at = -math.inf
    retry_at = -math.inf
    failures = 0
    # Reads that rejected logins need, and how many of them have ended.
    rereads_wanted = 0
    rereads_done = 0
    reread_at = -math.inf
    read_number = 0  # of the read that is shared now
    renewal: "asyncio.Task[None] | None" = None
    timer: asyncio.TimerHandle | None = None
    unclaimed: tuple[Any, int, float] | None = None  # what a thread read when its callers had left, and when

    def __init__(self, key: Key) -> None:
        self.key = key


def _do_nothing(_error: Exception, _value: object) -> None: ...


class LoopCache(Generic[Key, Value]):
    """The cache of one event loop, by key. With ``background`` a timer renews its values until ``stop()``."""

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
        self._background = background
        self._stopped = False
        self._read_value = read
        self._entries: OrderedDict[Key, _Entry[Key, Value]] = OrderedDict()
        # Also those that only their callers keep: a key has one entry as long as it is used.
        self._used: WeakValueDictionary[Key, _Entry[Key, Value]] = WeakValueDictionary()
        self._reading: set[asyncio.Future[Reading[Value]]] = set()
        self._read_once = alru_cache(maxsize=None)(self._read)

    def watch(self, key: Key) -> AbstractContextManager[object]:  # noqa: ARG002 - for subclasses
        """Return a context manager to enter around each read."""
        return contextlib.nullcontext()

    def renewal_failed(self, key: Key, error: Exception, failures: int) -> None:
        """Log that reads fail, ``failures`` of them since the last success, while the last value still works."""
        level = logging.WARNING if failures == 1 else logging.DEBUG  # once for each outage
        _log.log(level, "%r could not be read again; the last value stays in use: %s", key, error)

    async def get(self, key: Key) -> Value:
        """Return a value that works, and wait only if there is none.

        Cancelling a caller does not affect the others. The last one to be cancelled cancels the read. Each caller gets
        an error of its own.
        """
        return (await self._get(self._entry(key))).value

    async def _get(self, entry: _Entry[Key, Value]) -> Reading[Value]:
        while (reading := self._ready(entry)) is None:
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

    def ready(self, key: Key) -> Value | None:
        """Return a value that works, if there is one."""
        reading = self._ready(self._entry(key))
        return reading and reading.value

    def latest(self, key: Key) -> Value | None:
        """Return the value that was read last, even if it has expired."""
        reading = self._entry(key).reading
        return reading and reading.value

    def next_expiry(self) -> float | None:
        """Return when the first of the present values expires, ``None`` if none does. Safe from any thread."""
        # dict.values() is copied in one step; an OrderedDict's own iterator fails if its loop moves a key.
        readings = [entry.reading for entry in list(dict.values(self._entries)) if entry.reading]
        return min((reading.expires for reading in readings if reading.expires is not None), default=None)

    def reread(self, key: Key) -> bool:
        """Make the next caller wait for a new read, because a login with the present value was rejected.

        Return whether there will be one: not from a stopped cache.
        """
        if self._stopped:
            return False
        entry, now = self._entry(key), self.clock()
        if not 0 <= now - entry.reread_at < REREAD_INTERVAL:
            entry.rereads_wanted += 1
            entry.reread_at = now
        return entry.rereads_wanted != entry.rereads_done

    async def log_in(
        self,
        key: Key,
        dial: Callable[[Value], Awaitable[Result]],
        login_rejected: Callable[[BaseException], bool],
        *,
        explain: Callable[[Exception, Value], object] = _do_nothing,
    ) -> Result:
        entry = self._entry(key)

        async def get() -> tuple[Reading[Value], bool]:
            before = entry.reading
            reading = await self._get(entry)
            return reading, reading is not before

        return await log_in(
            get,
            lambda reading: dial(reading.value),
            login_rejected,
            reject=lambda reading: entry.reading is not reading or self.reread(key),
            explain=lambda error, reading: explain(error, reading.value),
        )

    async def run_in_thread(self, key: Key, read: Callable[[], Result], *, name: str) -> Result:
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
            await threads.run(read_unclaimed, name=name, share_as=entry)

    def stop(self) -> None:
        """Cancel timers and background renewals. Only on this loop's thread."""
        self._stopped = True
        for entry in self._entries.values():
            for pending in (entry.renewal, entry.timer):
                if pending is not None:
                    pending.cancel()

    async def aclose(self) -> None:
        """Stop, and wait until the renewals and all cancelled reads have ended, for at most ``CLOSE_TIMEOUT``."""
        self.stop()
        renewals = [entry.renewal for entry in self._entries.values() if entry.renewal is not None]
        await asyncio.gather(*renewals, return_exceptions=True)
        await asyncio.sleep(0)  # callers that were just cancelled have cancelled their reads now
        if ending := [task for task in self._reading if isinstance(task, asyncio.Task) and task.cancelling()]:
            await asyncio.wait(ending, timeout=CLOSE_TIMEOUT)

    @property
    def renews_by_timer(self) -> bool:
        return not self._stopped and any(entry.timer for entry in list(dict.values(self._entries)))

    def _ready(self, entry: _Entry[Key, Value]) -> Reading[Value] | None:
        now, fails = self.clock(), entry.failures > 0
        # While reads fail, callers use what they have until it expires, and a renewal tries again.
        if now >= entry.expires if fails else not entry.use_from <= now < entry.wait_from:
            return None
        if entry.rereads_wanted != entry.rereads_done:
            return None
        self._renew_if_due(entry)
        return entry.reading

    def _renew_if_due(self, entry: _Entry[Key, Value]) -> None:
        """Start a renewal in the background, if it is time: the rule for when a renewal starts."""
        now = self.clock()
        running = entry.renewal is not None and not entry.renewal.done()
        if now >= entry.renew_at and is_retry_due(now, entry.retry_at) and not running:
            # In an empty context, like the timer: that of the caller, such as a web request, would live as long.
            entry.renewal = asyncio.create_task(
                self._renew(entry), name="aws_iam_async renewal", context=contextvars.Context()
            )

    async def _renew(self, entry: _Entry[Key, Value]) -> None:
        await self._shared_read(entry)

    def _shared_read(self, entry: _Entry[Key, Value]) -> Awaitable[Exception | None]:
        """Join the present read, or start one.

        Each read has a key of its own: async-lru 2.4 forgets a task when its last waiter is cancelled, and once more by
        its key when it has ended. A shared key would then drop the newer read.
        """
        if not self._read_once.cache_contains(entry, entry.read_number):
            entry.read_number += 1
        return self._read_once(entry, entry.read_number)

    async def _read(self, entry: _Entry[Key, Value], read_number: int) -> Exception | None:
        """Read into the entry. Return an error instead of raising it: each waiter gets a copy."""
        await asyncio.sleep(0)  # an eager task (CPython 3.12) must not end before async-lru has stored it
        rereads_wanted = entry.rereads_wanted  # later ones are not answered by this read
        error: Exception | None = None
        try:
            with self.watch(entry.key):
                reading = await self._read_in_time(entry.key)
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
            # A clock that is set back must not prolong what was measured by it.
            entry.use_from = -math.inf if reading.stale is None else now
            entry.expires = math.inf if reading.expires is None else reading.expires
            entry.stale = entry.expires if reading.stale is None else min(reading.stale, entry.expires)
            entry.renew_at, entry.wait_from = renewal_times(now, entry.stale, self.random())
        entry.rereads_done = rereads_wanted
        self._set_timer(entry)
        self._read_once.cache_invalidate(entry, read_number)  # nothing is awaited from here on, so no caller is lost
        return error

    async def _read_in_time(self, key: Key) -> Reading[Value]:
        reading = asyncio.ensure_future(self._read_value(key))  # waited for from outside: it may ignore a cancellation
        self._reading.add(reading)
        reading.add_done_callback(self._reading.discard)
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
        is_kept = self._entries.get(entry.key) is entry
        if not self._background or self._stopped or entry.renew_at == math.inf or not is_kept:
            return
        due = max(entry.renew_at, entry.retry_at) - self.clock()
        delay = min(max(due, SHORTEST_RETRY_DELAY), LONGEST_SLEEP)
        entry.timer = asyncio.get_running_loop().call_later(delay, self._on_timer, entry, context=contextvars.Context())

    def _on_timer(self, entry: _Entry[Key, Value]) -> None:
        self._renew_if_due(entry)
        self._set_timer(entry)

    def _entry(self, key: Key) -> _Entry[Key, Value]:
        entry = self._used.get(key)
        if entry is None:
            entry = self._used[key] = _Entry(key)
        self._entries[key] = entry
        self._entries.move_to_end(key)
        if len(self._entries) > MAX_KEYS:
            _, evicted = self._entries.popitem(last=False)  # its waiting callers keep it
            if evicted.timer is not None:
                evicted.timer.cancel()
        return entry


class RefreshAheadCache(Generic[Key, Value]):
    """A cache for plugins that log in with secrets of a secret store. Any number of callers share one read.

    A value is renewed in the background when it is used late in its life. It is served while the store fails, until it
    expires. After a rejected login it is read again, at most every 10 s. The cache may be used from several event
    loops, each of which has values of its own. It holds the last 256 keys on each loop.

    Args:
        read: An async function that gets a key and returns a :class:`Reading`. It is cancelled when its last caller is,
            or after 60 s. Its errors reach all callers that wait: each gets a copy, and those that are no
            :class:`~aws_iam_async.AwsIamError` become one that names only their class.
        clock: Returns the seconds since the epoch, for tests.

    Keys are hashable, and their ``repr`` is shown in errors and logs. So a key must not hold a secret.
    """

    def __init__(
        self, read: Callable[[Key], Awaitable[Reading[Value]]], *, clock: Callable[[], float] = wall_clock
    ) -> None:
        self._closed = False
        self._caches: threads.LoopLocal[LoopCache[Key, Value]] = threads.LoopLocal(lambda: LoopCache(read, clock=clock))

    async def get(self, key: Key) -> Value:
        """Return the value of a key, and wait only if there is none to use.

        Args:
            key: What to read.

        Raises:
            AwsIamError: It could not be read, or this cache is closed.
        """
        return await self._cache().get(key)

    async def log_in(
        self,
        key: Key,
        dial: Callable[[Value], Awaitable[Result]],
        login_rejected: Callable[[BaseException], bool],
        *,
        explain: Callable[[Exception, Value], object] = _do_nothing,
    ) -> Result:
        """Connect with the value of a key. If the server rejects an old value, read it again and connect once more.

        Args:
            key: What to read.
            dial: Connects with the value: ``call_next`` with the value in the request.
            login_rejected: Tells a rejected login from other errors: ``request.login_rejected``.
            explain: Called with the error of a login that is not repeated, and with the value. It may add notes.

        Returns:
            What ``dial`` returns.

        Raises:
            AwsIamError: The value could not be read, or this cache is closed.
            Exception: An error of ``dial``.
        """
        return await self._cache().log_in(key, dial, login_rejected, explain=explain)

    async def run_in_thread(self, key: Key, read: Callable[[], Result]) -> Result:
        """Run a blocking function for the read of a key in a thread. A key never has two threads on one event loop.

        A thread goes on when its callers are cancelled, and the next read of the key gets the result.

        Args:
            key: What to read.
            read: The function. It must end by itself within 60 s.

        Returns:
            What the function returns.

        Raises:
            Exception: What the function raises.
        """
        # Not by _cache(): a read that has begun ends in a closed cache as well.
        return await self._caches[asyncio.get_running_loop()].run_in_thread(key, read, name="read")

    async def aclose(self) -> None:
        """Stop renewals in the background. Callers that wait for a value still get it; others raise an error."""
        self._closed = True
        here = self._caches.pop(asyncio.get_running_loop(), None)
        self._caches.stop_all(LoopCache.stop)
        if here is not None:
            await here.aclose()

    def _cache(self) -> LoopCache[Key, Value]:
        if self._closed:
            raise AwsIamError("this RefreshAheadCache is closed: use it while it is open")
        return self._caches[asyncio.get_running_loop()]


async def log_in(
    get: Callable[[], Awaitable[tuple[Value, bool]]],
    dial: Callable[[Value], Awaitable[Result]],
    login_rejected: Callable[[BaseException], bool],
    *,
    reject: Callable[[Value], bool],
    explain: Callable[[Exception, Value], object],
) -> Result:
    """Log in with a cached secret: the rule for when a login is repeated.

    ``get`` returns the secret, and whether it was read for this very call. If the server rejects one that was not,
    ``reject`` drops it, and the login is repeated once if it returns that there may be another. Otherwise, and the
    second time, the driver's own exception is raised, and ``explain`` adds notes to it.
    """
    repeated = False
    while True:
        secret, just_read = await get()
        try:
            return await dial(secret)
        except Exception as error:
            if not login_rejected(error):
                raise
            if repeated or just_read or not reject(secret):
                explain(error, secret)
                raise
        repeated = True


def renewal_times(now: float, stale: float, draw: float) -> tuple[float, float]:
    """Return when to renew a value in the background, and from when on callers wait for a new one.

    The renewal starts 700 s before the value is stale, but not before 4/5 of its life are over. It starts up to 35 s
    earlier at random, so that processes do not ask together. Callers wait in the last 5 s, or the last tenth of a
    shorter life.
    """
    if stale == math.inf:
        return math.inf, math.inf
    life = max(stale - now, 0.0)
    ahead = min(REFRESH_AHEAD, life / 5)
    return stale - ahead * (1 + 0.05 * draw), stale - min(LOGIN_TIME, life / 10)


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
