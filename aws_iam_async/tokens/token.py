"""An RDS IAM token as a value."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from aws_iam_async.secret import Secret
from aws_iam_async.tokens.lifetime import Lifetime


@dataclass(frozen=True, slots=True, eq=False)
class Token:
    """A password for one user on one RDS endpoint, good for at most 15 minutes.

    Two tokens signed in the same second are the same text, so tokens are compared as objects, not by value.

    Attributes:
        value: The text to send as the password. Shown redacted.
        region: The region it was signed for.
        access_key_id: The id of the access key it was signed with.
        lifetime: When it was signed, and until when it is good, in seconds since the epoch.
    """

    value: Secret = field(repr=False)
    region: str
    access_key_id: str
    lifetime: Lifetime

    @property
    def issued_at(self) -> datetime:
        """When it was signed, in whole seconds; as all times here in UTC."""
        return datetime.fromtimestamp(self.lifetime.issued, UTC)

    @property
    def refresh_at(self) -> datetime:
        """From when on a new one is generated in the background."""
        return datetime.fromtimestamp(self.lifetime.refresh, UTC)

    @property
    def expires_at(self) -> datetime:
        """From when on it is no longer served."""
        return datetime.fromtimestamp(self.lifetime.expires, UTC)
