"""What the emulator writes down about a login, and never tells the client."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Reason(StrEnum):
    """Why a login was refused."""

    PLAINTEXT = "plaintext"
    """The client wanted to log in without TLS; it was not asked for a token."""
    NOT_FOR_IAM = "not-for-iam"
    """The user is one of ``Faults.password_users``; nobody asked for a token."""
    MALFORMED = "malformed"
    """What came as a password is no presigned URL with everything that a token needs."""
    UNKNOWN_ACCESS_KEY = "unknown-access-key"
    BAD_SIGNATURE = "bad-signature"
    """Not signed with the secret of the access key that it names, or changed afterwards."""
    WRONG_SESSION_TOKEN = "wrong-session-token"  # noqa: S105 - the name of a reason
    """A temporary key's session token is missing or another one, or a lasting key came with one."""
    REVOKED_ACCESS_KEY = "revoked-access-key"
    WRONG_SERVICE = "wrong-service"
    WRONG_REGION = "wrong-region"
    WRONG_HOST = "wrong-host"
    WRONG_PORT = "wrong-port"
    WRONG_USER = "wrong-user"
    NOT_YET_VALID = "not-yet-valid"
    """Signed in the emulator's future."""
    EXPIRED = "expired"
    TOO_OLD = "too-old"
    """Valid, but older than ``Faults.max_token_age`` allows."""
    REJECTED_ON_DEMAND = "rejected-on-demand"
    """Valid, but ``Faults.reject_next`` was at work."""
    THROTTLED = "throttled"
    """Valid, but more new tokens in this second than ``Faults.throttle`` allows."""


@dataclass(frozen=True)
class Login:
    """One attempt to log in that got as far as a decision. Never holds the token.

    Attributes:
        protocol: ``"postgresql"`` or ``"mysql"``.
        user: The database user who wanted in.
        database: The database asked for; None if none was named.
        reason: Why it was refused; None if it was accepted.
        access_key_id: The access key id that the token names; None if it names none.
        issued_at: When the token says it was signed; None if it does not say.
        at: When the decision fell, by the emulator's clock.
    """

    protocol: str
    user: str
    database: str | None
    reason: Reason | None
    access_key_id: str | None
    issued_at: datetime | None
    at: datetime

    @property
    def accepted(self) -> bool:
        """Whether the emulator let the user in; the server behind it may still have refused."""
        return self.reason is None
