"""Credentials kept ready: read once for everyone who asks, and again before they expire."""

import asyncio
import functools
import logging
import math
from collections import OrderedDict
from collections.abc import Callable

from aws_iam_async import backoff
from aws_iam_async.credentials.reading import Reader
from aws_iam_async.credentials.snapshot import Snapshot
from aws_iam_async.credentials.source import CredentialsSource
from aws_iam_async.errors import AwsIamError, CredentialsError
from aws_iam_async.single_flight import SingleFlight
from aws_iam_async.statistics import CredentialsCounters

_log = logging.getLogger(__name__)

# A rejected login need not be the credentials' fault: a storm of rejections must not become a storm of reads.
REREAD_INTERVAL = 10.0
# Credentials are read again this long before they expire, or after 4/5 of their life if that is later: time enough to
# sit out ten minutes in which the endpoint is down, and to come so late out of it that the next such outage, an hour
# later, is not met at once. botocore 1.43 blocks its callers for new ones in the last ten.
REFRESH_AHEAD = 700.0
# Identities remembered. Only callers who pass a new callable for every connect have more.
_MOST_IDENTITIES = 256


class _Identity:
    """What is known of one identity.

    Args:
        reader: Reads its credentials.
    """

    snapshot: Snapshot | None = None
    expires: float = -math.inf
    refresh_at: float = math.inf
    retry_at: float = -math.inf
    failures: int = 0
    # Reads asked for by rejected logins, and how many of them had been asked for when the last read began.
    asked: int = 0
    answered: int = 0
    asked_at: float = -math.inf
    refresher: "asyncio.Task[Snapshot] | None" = None

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def usable(self, now: float) -> Snapshot | None:
        """Return the last good credentials, if they have not truly expired."""
        return self.snapshot if now < self.expires else None

    def left(self, now: float) -> float:
        """Return for how many seconds the last good credentials work."""
        return max(self.expires - now, 0.0)


class CredentialsService:
    """Has the credentials of each identity ready. Bound to one event loop.

    The first caller waits for them, together with everyone else who comes meanwhile. After that they are read again in
    the background before they expire, and nobody waits as long as there are any that work.

    Args:
        clock: The wall clock.
        random: Random numbers in [0, 1).
        counters: Counts what happens.
    """

    def __init__(
        self, *, clock: Callable[[], float], random: Callable[[], float], counters: CredentialsCounters
    ) -> None:
        self._clock = clock
        self._random = random
        self._counters = counters
        self._identities: OrderedDict[CredentialsSource, _Identity] = OrderedDict()
        self._flights: SingleFlight[CredentialsSource, Snapshot] = SingleFlight(self._fly)

    async def get(self, source: CredentialsSource) -> Snapshot:
        """Return credentials that work, waiting only if there are none.

        Raises:
            AwsIamError: There are none, and the source gives none.
        """
        while (snapshot := self.ready(source)) is None:
            try:
                await self._flights.run(source)
            except AwsIamError:
                identity = self._identity(source)
                if (snapshot := identity.usable(self._clock())) is None:
                    raise
                if identity.asked == identity.answered:
                    return snapshot
        return snapshot

    def ready(self, source: CredentialsSource) -> Snapshot | None:
        """Return credentials that work if there are any right now, and have them renewed if it is time for that."""
        identity = self._identities.get(source)
        if identity is None:
            return None
        self._identities.move_to_end(source)
        now = self._clock()
        if now >= identity.expires or identity.asked != identity.answered:
            return None
        if now >= identity.refresh_at and backoff.due(now, identity.retry_at):
            self._refresh(source, identity)
        return identity.snapshot

    def reread(self, source: CredentialsSource) -> None:
        """Have the next caller wait for credentials that are read anew: a login with the present ones was rejected.

        Done at most once in 10 s for each identity.
        """
        identity = self._identities.get(source)
        now = self._clock()
        if identity is not None and not 0 <= now - identity.asked_at < REREAD_INTERVAL:
            identity.asked_at = now
            identity.asked += 1

    def present(self, source: CredentialsSource, access_key: str) -> bool:
        """Whether this is the access key that would be signed with now."""
        identity = self._identities.get(source)
        return (
            identity is not None
            and identity.snapshot is not None
            and (identity.snapshot.credentials.access_key == access_key)
        )

    def next_expiry(self) -> float | None:
        """Return when the first of the present credentials expires; ``None`` if none does; from any thread."""
        # As the token cache does it: in one go, whatever the loop's own thread changes meanwhile.
        identities = list(dict.values(self._identities))
        snapshots = [identity.snapshot for identity in identities if identity.snapshot is not None]
        return min((snapshot.expires for snapshot in snapshots if snapshot.expires is not None), default=None)

    def next_refresh(self) -> float | None:
        """Return when the first of the present credentials want to be read again; ``None`` if none do."""
        now = self._clock()
        usable = [identity for identity in self._identities.values() if identity.usable(now)]
        first = min((max(identity.refresh_at, identity.retry_at) for identity in usable), default=math.inf)
        return None if first == math.inf else first

    def refresh_due(self) -> None:
        """Start reading all those again for which it is time, as long as they have not truly expired."""
        now = self._clock()
        for source, identity in self._identities.items():
            if now >= identity.refresh_at and backoff.due(now, identity.retry_at) and identity.usable(now):
                self._refresh(source, identity)

    def refreshers(self) -> "list[asyncio.Task[Snapshot]]":
        """Return the tasks that are refreshing in the background now."""
        return [identity.refresher for identity in self._identities.values() if identity.refresher is not None]

    async def cancelled_ones_end(self) -> None:
        """Wait until every read that was cancelled has ended."""
        await self._flights.cancelled_ones_end()

    def _identity(self, source: CredentialsSource) -> _Identity:
        identity = self._identities.get(source)
        if identity is None:
            reader = Reader(source, clock=self._clock, counters=self._counters)
            identity = self._identities[source] = _Identity(reader)
            if len(self._identities) > _MOST_IDENTITIES:
                self._forget_one()
        self._identities.move_to_end(source)
        return identity

    def _forget_one(self) -> None:
        oldest = next((source for source in self._identities if source not in self._flights.flying), None)
        if oldest is not None:
            del self._identities[oldest]

    def _refresh(self, source: CredentialsSource, identity: _Identity) -> None:
        if identity.refresher is None and source not in self._flights.flying:
            identity.refresher = asyncio.get_running_loop().create_task(
                self._flights.run(source), name="aws_iam_async credentials refresh"
            )
            identity.refresher.add_done_callback(functools.partial(self._refreshed, source, identity))

    def _refreshed(self, source: CredentialsSource, identity: _Identity, task: "asyncio.Task[Snapshot]") -> None:
        identity.refresher = None
        if task.cancelled() or (error := task.exception()) is None:
            return
        expires_at = identity.snapshot.credentials.expires_at if identity.snapshot else None
        _log.log(
            logging.WARNING if identity.failures == 1 else logging.DEBUG,  # once for each outage
            "%r could not be read again; the present credentials last until %s: %s",
            source,
            expires_at,
            error,
        )

    async def _fly(self, source: CredentialsSource) -> Snapshot:
        identity = self._identity(source)
        asked = identity.asked
        try:
            snapshot = await identity.reader.read(asked)
            now = self._clock()
            snapshot = at_its_first_expiry(snapshot, identity.usable(now))
            _refuse_expired(snapshot, now, source)
        except Exception:
            self._counters.failures += 1
            identity.answered = asked
            identity.failures += 1
            now = self._clock()
            identity.retry_at = now + backoff.delay(identity.left(now), self._random())
            raise
        else:
            # Not if this was cancelled: who asked for credentials to be read anew still has to get that.
            identity.answered = asked
            identity.snapshot = snapshot
            identity.expires = math.inf if snapshot.expires is None else snapshot.expires
            identity.failures = 0
            identity.refresh_at = refresh_time(now, snapshot.expires, self._random())
            identity.retry_at = -math.inf
            _log.debug("%r: %s by %s", source, snapshot.credentials.access_key, snapshot.method)
            return snapshot


def _refuse_expired(snapshot: Snapshot, now: float, source: CredentialsSource) -> None:
    if snapshot.expires is not None and now >= snapshot.expires:
        raise CredentialsError(
            f"{source!r} gave credentials ({snapshot.method}, {snapshot.credentials.access_key}) that expired at "
            f"{snapshot.credentials.expires_at}; renew them at their source"
        )


def at_its_first_expiry(snapshot: Snapshot, present: Snapshot | None) -> Snapshot:
    """Return what was just read, for an EC2 instance's key that is read again with the expiry that it had before.

    It never moves. But near its end botocore 1.43 reports a later one
    (``InstanceMetadataFetcher._evaluate_expiration``) for the case that the service cannot make new ones. What has
    expired is not looked at: then that is all there is.

    Args:
        snapshot: What was just read.
        present: The present credentials, unless they have expired.
    """
    if snapshot.method != "iam-role" or present is None or snapshot.expires is None or present.expires is None:
        return snapshot
    same = snapshot.credentials.access_key == present.credentials.access_key
    return present if same and present.expires < snapshot.expires else snapshot


def refresh_time(now: float, expires: float | None, draw: float) -> float:
    """Return when to read credentials again that were read now.

    700 s ahead of their expiry, but not before 4/5 of their life have gone; and up to 35 s earlier by chance, so that a
    fleet does not ask in step.

    Args:
        now: Wall clock time.
        expires: When they expire; ``None`` for never.
        draw: A random number in [0, 1).
    """
    if expires is None:
        return math.inf
    ahead = min(REFRESH_AHEAD, max(expires - now, 0.0) / 5)
    return expires - ahead * (1 + 0.05 * draw)
