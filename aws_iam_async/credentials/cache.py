"""Credentials of one event loop: read once for all callers, renewed ahead of their expiry, used until they expire.

With async-lru all callers of one identity share one read. It is cancelled with the last of them.
"""

import asyncio
import contextvars
import logging
import math
import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from async_lru import alru_cache

from aws_iam_async import threads
from aws_iam_async.credentials import callers, sdk
from aws_iam_async.credentials.credentials import Snapshot, from_environment
from aws_iam_async.credentials.failures import EXPIRED
from aws_iam_async.credentials.source import DEFAULT_CHAIN, CredentialsSource, SdkChain
from aws_iam_async.errors import AwsIamError, CredentialsError, copy_of
from aws_iam_async.statistics import Counters, Hooks

_log = logging.getLogger(__name__)

# All times are in seconds.
READ_TIMEOUT = 60.0  # long enough for a person with a security key
# It limits the reads after rejected logins, because the credentials may not be the cause.
REREAD_INTERVAL = 10.0
# Time enough to survive an outage of ten minutes, and another one an hour later. botocore 1.43 blocks its callers in
# the last ten minutes.
REFRESH_AHEAD = 700.0
CLOSE_TIMEOUT = 5.0  # for a source that is cancelled when the cache is closed
LOGIN_TIME = 5.0  # credentials with less left may expire during the login
SHORTEST_RETRY_DELAY, LONGEST_RETRY_DELAY = 1.0, 600.0
URGENT = 120.0  # a short outage is over before the last two minutes
# A timer uses the monotonic clock, which stops while a machine sleeps. So it compares with the wall clock this often.
LONGEST_SLEEP = 60.0

MAX_IDENTITIES = 256  # only callers that pass a new callable for every connection have more


class _Identity:
    """The state of one source of credentials; times by the wall clock."""

    snapshot: Snapshot | None = None
    expires = -math.inf
    wait_from = -math.inf  # from then on callers wait for new credentials, if they can be had
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
    unclaimed: tuple[Snapshot, int, float] | None = None  # what a thread read when its callers had left, and when

    def __init__(self, source: CredentialsSource) -> None:
        self.source = source


class CredentialsCache:
    """The credentials of one event loop, by source. With ``background`` a timer keeps them fresh until ``stop()``."""

    def __init__(
        self,
        clock: Callable[[], float],
        random: Callable[[], float],
        counters: Counters,
        hooks: Hooks,
        *,
        background: bool = False,
    ) -> None:
        self.clock = clock
        self.random = random
        self.counters = counters
        self.hooks = hooks
        self.background = background
        self._identities: OrderedDict[CredentialsSource, _Identity] = OrderedDict()
        self._reading: set[asyncio.Task[Snapshot]] = set()
        self._read_once = alru_cache(maxsize=None)(self._read)

    async def get(self, source: CredentialsSource) -> Snapshot:
        """Return credentials that work, and wait only if there are none.

        Cancelling a caller does not affect the others. The last one to be cancelled cancels the read. Each caller gets
        an error of its own.
        """
        identity = self._identity(source)
        while (snapshot := self._ready(identity)) is None:
            try:
                error = await self._shared_read(identity)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                await asyncio.sleep(0)  # the shared read was cancelled, not this caller; now async-lru drops it
                continue
            if identity.snapshot is not None and self.clock() < identity.expires:
                if identity.rereads_wanted == identity.rereads_done:
                    return identity.snapshot  # new, or after a failure those that still work
            elif error is not None:
                raise copy_of(error) from error.__cause__
        return snapshot

    def ready(self, source: CredentialsSource) -> Snapshot | None:
        return self._ready(self._identity(source))

    def latest(self, source: CredentialsSource) -> Snapshot | None:
        return self._identity(source).snapshot

    def reread(self, source: CredentialsSource) -> None:
        """Make the next caller wait for a new read, because a login with the present credentials was rejected."""
        identity, now = self._identity(source), self.clock()
        if not 0 <= now - identity.reread_at < REREAD_INTERVAL:
            identity.rereads_wanted += 1
            identity.reread_at = now

    def next_expiry(self) -> float | None:
        """Return when the first of the present credentials expires, ``None`` if none does. Safe from any thread."""
        # dict.values() is copied in one step; an OrderedDict's own iterator fails if its loop moves a key.
        snapshots = [identity.snapshot for identity in list(dict.values(self._identities)) if identity.snapshot]
        return min((snapshot.expires for snapshot in snapshots if snapshot.expires is not None), default=None)

    def stop(self) -> None:
        """Cancel timers and background renewals. Only on this loop's thread."""
        self.background = False
        for identity in self._identities.values():
            for pending in (identity.renewal, identity.timer):
                if pending is not None:
                    pending.cancel()

    async def aclose(self) -> None:
        """Stop, and wait until the renewals and all cancelled reads have ended, for at most ``CLOSE_TIMEOUT``."""
        self.stop()
        renewals = [identity.renewal for identity in self._identities.values() if identity.renewal is not None]
        await asyncio.gather(*renewals, return_exceptions=True)
        await asyncio.sleep(0)  # callers that were just cancelled have cancelled their reads now
        if ending := [task for task in self._reading if task.cancelling()]:
            await asyncio.wait(ending, timeout=CLOSE_TIMEOUT)

    @property
    def renews_by_timer(self) -> bool:
        return self.background and any(identity.timer for identity in list(dict.values(self._identities)))

    def _ready(self, identity: _Identity) -> Snapshot | None:
        fails = identity.failures > 0  # then callers use what they have until it expires, and a renewal tries again
        if self.clock() >= (identity.expires if fails else identity.wait_from):
            return None
        if identity.rereads_wanted != identity.rereads_done:
            return None
        self._renew_if_due(identity)
        return identity.snapshot

    def _renew_if_due(self, identity: _Identity) -> None:
        """Start a renewal in the background, if it is time: the rule for when a renewal starts."""
        now = self.clock()
        running = identity.renewal is not None and not identity.renewal.done()
        if now >= identity.renew_at and is_retry_due(now, identity.retry_at) and not running:
            # In an empty context, like the timer: that of the caller, such as a web request, would live as long.
            identity.renewal = asyncio.create_task(
                self._renew(identity), name="aws_iam_async credentials renewal", context=contextvars.Context()
            )

    async def _renew(self, identity: _Identity) -> None:
        error = await self._shared_read(identity)
        if error is not None:
            self.counters.refresh_failures += 1
            _log.log(
                logging.WARNING if identity.failures == 1 else logging.DEBUG,  # once for each outage
                "%r could not be read again; its last credentials are used until %s: %s",
                identity.source,
                identity.snapshot and identity.snapshot.credentials.expires_at,
                error,
            )

    def _shared_read(self, identity: _Identity) -> Awaitable[Exception | None]:
        """Join the present read, or start one.

        Each read has a key of its own: async-lru 2.4 forgets a task when its last waiter is cancelled, and once more by
        its key when it has ended. A shared key would then drop the newer read.
        """
        if not self._read_once.cache_contains(identity, identity.read_number):
            identity.read_number += 1
        return self._read_once(identity, identity.read_number)

    async def _read(self, identity: _Identity, read_number: int) -> Exception | None:
        """Read credentials into the identity. Return an error instead of raising it: each waiter gets a copy."""
        await asyncio.sleep(0)  # an eager task (CPython 3.12) must not end before async-lru has stored it
        rereads_wanted = identity.rereads_wanted  # later ones are not answered by this read
        error: Exception | None = None
        try:
            with self.hooks.read(identity.source):
                snapshot = await self._read_source(identity)
                now = self.clock()
                if identity.snapshot is not None and now < identity.expires:
                    snapshot = with_first_expiry(snapshot, identity.snapshot)
                if snapshot.expires is not None and now >= snapshot.expires:
                    found = f"{snapshot.method}, {snapshot.credentials.access_key}"
                    expired = f"({found}) that expired at {snapshot.credentials.expires_at}"
                    raise CredentialsError(f"{identity.source!r} returned credentials {expired}", *EXPIRED)
        except Exception as failure:  # noqa: BLE001 - returned
            error, now = failure, self.clock()
            if not isinstance(error, AwsIamError):
                error = CredentialsError(f"{identity.source!r} could not be read: {type(failure).__name__}")
                error.__cause__ = failure
            self.counters.credentials_failures += 1
            identity.failures += 1
            identity.retry_at = now + retry_delay(identity.expires - now, identity.failures, self.random())
        else:
            identity.snapshot, identity.failures, identity.retry_at = snapshot, 0, -math.inf
            identity.expires = math.inf if snapshot.expires is None else snapshot.expires
            identity.renew_at, identity.wait_from = renewal_times(now, identity.expires, self.random())
            _log.debug("%r: %s by %s", identity.source, snapshot.credentials.access_key, snapshot.method)
        identity.rereads_done = rereads_wanted
        self._set_timer(identity)
        self._read_once.cache_invalidate(identity, read_number)  # nothing is awaited from here on, so no caller is lost
        return error

    async def _read_source(self, identity: _Identity) -> Snapshot:
        source = identity.source
        if source == DEFAULT_CHAIN and (snapshot := from_environment(os.environ)) is not None:
            self.counters.credentials_loads += 1
            return snapshot
        if isinstance(source, SdkChain):
            pending = self._read_in_thread(identity, source)
        else:
            self.counters.credentials_loads += 1
            pending = callers.read_callers_source(source)
        reading = asyncio.create_task(pending)  # waited for from outside, because a source may ignore its cancellation
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
            raise CredentialsError(f"{source!r} was cancelled from within")
        if not reading.done() or isinstance(reading.exception(), TimeoutError):
            raise CredentialsError(f"{source!r} did not answer within {READ_TIMEOUT:.0f} s; the next call tries again")
        return reading.result()

    async def _read_in_thread(self, identity: _Identity, source: SdkChain) -> Snapshot:
        """Join the present thread, or start one: a source never has two. It goes on when its callers are cancelled."""

        def read() -> None:
            self.counters.credentials_loads += 1
            rereads_wanted, started = identity.rereads_wanted, self.clock()
            # It ends before its callers give up, so that the next call starts another.
            identity.unclaimed = sdk.read_chain(source, READ_TIMEOUT - 1), rereads_wanted, started

        while True:
            if identity.unclaimed is not None:
                (snapshot, rereads_wanted, started), identity.unclaimed = identity.unclaimed, None
                if rereads_wanted == identity.rereads_wanted and 0 <= self.clock() - started < READ_TIMEOUT:
                    return snapshot
            await threads.run(read, name="credentials", share_as=identity)

    def _set_timer(self, identity: _Identity) -> None:
        if identity.timer is not None:
            identity.timer.cancel()
            identity.timer = None
        is_kept = self._identities.get(identity.source) is identity
        if not self.background or identity.renew_at == math.inf or not is_kept:
            return
        due = max(identity.renew_at, identity.retry_at) - self.clock()
        delay = min(max(due, SHORTEST_RETRY_DELAY), LONGEST_SLEEP)
        identity.timer = asyncio.get_running_loop().call_later(
            delay, self._on_timer, identity, context=contextvars.Context()
        )

    def _on_timer(self, identity: _Identity) -> None:
        self._renew_if_due(identity)
        self._set_timer(identity)

    def _identity(self, source: CredentialsSource) -> _Identity:
        identity = self._identities.get(source)
        if identity is None:
            identity = self._identities[source] = _Identity(source)
            if len(self._identities) > MAX_IDENTITIES:
                _, evicted = self._identities.popitem(last=False)  # its waiting callers keep it
                if evicted.timer is not None:
                    evicted.timer.cancel()
        self._identities.move_to_end(source)
        return identity


def renewal_times(now: float, expires: float, draw: float) -> tuple[float, float]:
    """Return when to renew credentials in the background, and from when on callers wait for new ones.

    The renewal starts 700 s ahead of the expiry, but not before 4/5 of the life are over. It starts up to 35 s earlier
    at random, so that processes do not ask together. Callers wait in the last 5 s, or the last tenth of a shorter life.
    """
    if expires == math.inf:
        return math.inf, math.inf
    life = max(expires - now, 0.0)
    ahead = min(REFRESH_AHEAD, life / 5)
    return expires - ahead * (1 + 0.05 * draw), expires - min(LOGIN_TIME, life / 10)


def retry_delay(left: float, failures: int, draw: float) -> float:
    """Return the seconds to wait after a failed read, with ``left`` seconds until the present credentials expire.

    The next try is when about two minutes are left, and after that when 60 to 75 % of the rest have passed. So there
    are few tries while nothing is urgent, and one a second at the end. After the expiry the delay doubles with every
    failure. The delay is random, so that processes that started together do not return together.
    """
    if left <= 0:
        return min(SHORTEST_RETRY_DELAY * 2.0 ** min(failures - 1, 10) * (1 + 0.2 * draw), LONGEST_RETRY_DELAY)
    wait = max(left - URGENT * (1.2 - 0.4 * draw), left * (0.6 + 0.15 * draw))
    return min(max(wait, SHORTEST_RETRY_DELAY), LONGEST_RETRY_DELAY)


def is_retry_due(now: float, retry_at: float) -> bool:
    """Return whether ``retry_at`` has come. A clock that was set back must not delay the next try by hours."""
    return now >= retry_at or retry_at - now > LONGEST_RETRY_DELAY


def with_first_expiry(snapshot: Snapshot, present: Snapshot) -> Snapshot:
    """Return the present credentials instead of the same key of an EC2 instance with a later expiry.

    A key's expiry never moves. But near its end botocore 1.43 reports a later one
    (``InstanceMetadataFetcher._evaluate_expiration``), for the case that the service cannot make new ones.
    """
    if snapshot.method != "iam-role" or snapshot.expires is None or present.expires is None:
        return snapshot
    same = snapshot.credentials.access_key == present.credentials.access_key
    return present if same and present.expires < snapshot.expires else snapshot
