"""Decisions on logins, from token verification and faults, and the records of these decisions."""

import hashlib
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from datetime import UTC, datetime

from aws_iam_async.secret import Secret
from aws_iam_async.testing.account import Account
from aws_iam_async.testing.faults import Faults
from aws_iam_async.testing.record import LoginRecord, Reason
from aws_iam_async.testing.verification import Endpoint, Verdict, verify

_REMEMBERED_TOKENS = 4096


class Gatekeeper:
    """Decides on each login and records the decision.

    Args:
        endpoint: The endpoint that tokens must be signed for.
        account: The account with the valid access keys.
        faults: The fault switches.
        clock: Returns the seconds since the epoch.
    """

    def __init__(self, endpoint: Endpoint, account: Account, faults: Faults, clock: Callable[[], float]) -> None:
        self.endpoint = endpoint
        self.account = account
        self.faults = faults
        self.clock = clock
        self.logins: list[LoginRecord] = []
        self._throttle = _Throttle()

    def reset(self) -> None:
        """Delete all records and reset the throttle."""
        self.logins = []
        self._throttle.reset()

    def decide(self, token: Secret, *, protocol: str, user: str, database: str | None) -> LoginRecord:
        """Decide on a login with a token and record the decision."""
        now = self.clock()
        verdict = verify(
            token,
            endpoint=self.endpoint,
            user=user,
            account=self.account,
            now=datetime.fromtimestamp(now, UTC),
            max_age=self.faults.max_token_age,
        )
        reason = verdict.reason or self._reason_by_fault(token, now)
        return self._record(protocol, user, database, reason, verdict, now)

    def refuse(self, reason: Reason, *, protocol: str, user: str, database: str | None) -> LoginRecord:
        """Record the refusal of a client without verifying a token."""
        return self._record(protocol, user, database, reason, Verdict(reason), self.clock())

    def _reason_by_fault(self, token: Secret, now: float) -> Reason | None:
        if self.faults.take_rejection():
            return Reason.REJECTED_ON_DEMAND
        if not self._throttle.allow(token, now=now, limit=self.faults.throttle):
            return Reason.THROTTLED
        return None

    def _record(
        self, protocol: str, user: str, database: str | None, reason: Reason | None, verdict: Verdict, now: float
    ) -> LoginRecord:
        record = LoginRecord(
            protocol=protocol,
            user=user,
            database=database,
            reason=reason,
            access_key_id=verdict.access_key_id,
            issued_at=verdict.issued_at,
            at=datetime.fromtimestamp(now, UTC),
        )
        self.logins.append(record)
        return record


class _Throttle:
    """Limits the number of new tokens per second. It stores digests of tokens, never the tokens."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known_digests: OrderedDict[bytes, None] = OrderedDict()
        self._recent_times: deque[float] = deque()

    def reset(self) -> None:
        with self._lock:
            self._known_digests.clear()
            self._recent_times.clear()

    def allow(self, token: str, *, now: float, limit: int | None) -> bool:
        """Return whether a valid token may log in at ``now``, and count it if so."""
        digest = hashlib.sha256(token.encode()).digest()
        with self._lock:
            if digest not in self._known_digests:
                # Tests may set the clock back, so times after now are dropped as well.
                while self._recent_times and not now - 1 < self._recent_times[0] <= now:
                    self._recent_times.popleft()
                if limit is not None and len(self._recent_times) >= limit:
                    return False
                self._recent_times.append(now)
            self._known_digests[digest] = None
            self._known_digests.move_to_end(digest)
            if len(self._known_digests) > _REMEMBERED_TOKENS:
                self._known_digests.popitem(last=False)
            return True
