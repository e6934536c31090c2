"""An RDS IAM token as a value."""

from typing import TYPE_CHECKING

from aws_iam_async.frozen import Frozen
from aws_iam_async.secret import Secret
from aws_iam_async.tokens.lifetime import Lifetime

if TYPE_CHECKING:
    from datetime import datetime


class Token(Frozen):
    """A password for one user on one RDS endpoint, good for at most 15 minutes.

    Two tokens signed in the same second are the same text, so tokens are compared as objects, not by value.

    Attributes:
        value: The text to send as the password. Shown redacted.
        region: The region it was signed for.
        access_key_id: The id of the access key it was signed with.
        lifetime: When it was signed, and until when it is good, in seconds since the epoch.
    """

    value: Secret
    region: str
    access_key_id: str
    lifetime: Lifetime

    def __init__(self, value: Secret, region: str, access_key_id: str, lifetime: Lifetime) -> None:
        own = self.__dict__
        own["value"] = value
        own["region"] = region
        own["access_key_id"] = access_key_id
        own["lifetime"] = lifetime

    @property
    def issued_at(self) -> "datetime":
        """When it was signed, in whole seconds; as all times here in UTC."""
        return utc(self.lifetime.issued)

    @property
    def refresh_at(self) -> "datetime":
        """From when on a new one is generated in the background."""
        return utc(self.lifetime.refresh)

    @property
    def expires_at(self) -> "datetime":
        """From when on it is no longer served."""
        return utc(self.lifetime.expires)

    def __repr__(self) -> str:
        return f"<Token {self.region} {self.access_key_id} expires_at={self.expires_at:%Y-%m-%dT%H:%M:%SZ}>"


def utc(seconds: float) -> "datetime":
    """Return the moment so many seconds since the epoch."""
    from datetime import UTC, datetime  # noqa: PLC0415 - 2 ms, which importing this package should not cost

    return datetime.fromtimestamp(seconds, UTC)
