"""Who may log in: the verification and the faults together, and the record of what was decided."""

from collections.abc import Callable
from datetime import UTC, datetime

from aws_iam_async.secret import Secret
from aws_iam_async.testing.account import Account
from aws_iam_async.testing.faults import Faults
from aws_iam_async.testing.login import Login, Reason
from aws_iam_async.testing.throttle import Throttle
from aws_iam_async.testing.verification import Endpoint, Verdict, verify


class Gatekeeper:
    """Decides on each login and keeps the record.

    Args:
        endpoint: What tokens have to be signed for.
        account: Whose access keys count.
        faults: The switches to honour.
        clock: Returns the seconds since the epoch.
    """

    def __init__(self, endpoint: Endpoint, account: Account, faults: Faults, clock: Callable[[], float]) -> None:
        self.endpoint = endpoint
        self.account = account
        self.faults = faults
        self.clock = clock
        self.logins: list[Login] = []
        self._throttle = Throttle()

    def reset(self) -> None:
        """Forget every login."""
        self.logins = []
        self._throttle.reset()

    def admit(self, token: Secret, *, protocol: str, user: str, database: str | None) -> bool:
        """Decide on a login with a token, and write the decision down."""
        now = self.clock()
        verdict = verify(
            token,
            endpoint=self.endpoint,
            user=user,
            account=self.account,
            now=datetime.fromtimestamp(now, UTC),
            max_age=self.faults.max_token_age,
        )
        reason = verdict.reason or self._whim(token, now)
        self._record(protocol, user, database, reason, verdict, now)
        return reason is None

    def refuse(self, reason: Reason, *, protocol: str, user: str, database: str | None) -> None:
        """Write down that a client was refused without having been asked for a token."""
        self._record(protocol, user, database, reason, Verdict(reason), self.clock())

    def _whim(self, token: Secret, now: float) -> Reason | None:
        if self.faults.take_rejection():
            return Reason.REJECTED_ON_DEMAND
        if not self._throttle.lets_pass(token, now=now, limit=self.faults.throttle):
            return Reason.THROTTLED
        return None

    def _record(
        self, protocol: str, user: str, database: str | None, reason: Reason | None, verdict: Verdict, now: float
    ) -> None:
        self.logins.append(
            Login(
                protocol=protocol,
                user=user,
                database=database,
                reason=reason,
                access_key_id=verdict.access_key_id,
                issued_at=verdict.issued_at,
                at=datetime.fromtimestamp(now, UTC),
            )
        )
