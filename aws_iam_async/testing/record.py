"""The emulator's records of login attempts, which clients never see."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Reason(StrEnum):
    """Why the emulator refused a login."""

    PLAINTEXT = "plaintext"
    """The client tried to log in without TLS. The emulator did not request a token."""
    NOT_FOR_IAM = "not-for-iam"
    """The user is in ``Faults.password_users``. The emulator did not request a token."""
    UNKNOWN_USER = "unknown-user"
    """The real server does not know the user with ``Upstream.password``. The emulator did not request a token."""
    MALFORMED = "malformed"
    """The password is not a presigned URL with all parts of a token."""
    UNKNOWN_ACCESS_KEY = "unknown-access-key"
    """The account has no key with the token's access key id."""
    BAD_SIGNATURE = "bad-signature"
    """The token was signed with another secret, or changed after signing."""
    WRONG_SESSION_TOKEN = "wrong-session-token"  # noqa: S105 - the name of a reason, not a secret
    """The session token of a temporary key is missing or wrong, or a long-term key has one."""
    REVOKED_ACCESS_KEY = "revoked-access-key"
    """``Account.revoke`` was called for the token's access key id."""
    WRONG_SERVICE = "wrong-service"
    """The token was signed for another service: ``dsql`` instead of ``rds-db``, or the reverse."""
    WRONG_REGION = "wrong-region"
    """The token was signed for another region."""
    WRONG_HOST = "wrong-host"
    """The token was signed for another host, or for the host in capitals."""
    WRONG_PORT = "wrong-port"
    """The token was signed for another port."""
    WRONG_USER = "wrong-user"
    """The token was signed for another database user."""
    WRONG_ACTION = "wrong-action"
    """The token of Aurora DSQL has ``DbConnect`` for ``admin``, or ``DbConnectAdmin`` for another user."""
    WRONG_SERVER_NAME = "wrong-server-name"
    """TLS named another server, or none (SNI). Only Aurora DSQL needs the name."""
    NOT_YET_VALID = "not-yet-valid"
    """The token was signed more than 5 minutes ahead of the emulator's clock."""
    EXPIRED = "expired"
    """The token is older than its lifetime, which is at most 15 minutes, and for Aurora DSQL a week."""
    TOO_OLD = "too-old"
    """The token is valid, but older than ``Faults.max_token_age`` allows."""
    REJECTED_ON_DEMAND = "rejected-on-demand"
    """The token is valid, but ``Faults.reject_next`` refused it."""
    THROTTLED = "throttled"
    """The token is valid, but more new tokens arrived in this second than ``Faults.throttle`` allows."""


@dataclass(frozen=True)
class LoginRecord:
    """One login attempt that the emulator accepted or refused. It does not contain the token.

    Attributes:
        protocol: ``"postgresql"`` or ``"mysql"``.
        user: The database user that the client named.
        database: The database that the client named. None if it named none.
        reason: Why the login was refused. None if it was accepted.
        access_key_id: The access key id in the token. None without a well-formed token.
        issued_at: The signing time in the token. None without a well-formed token.
        at: The time of the decision, by the emulator's clock.
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
        """Whether the emulator accepted the login. The server behind it may still have refused the database."""
        return self.reason is None
