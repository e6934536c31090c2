"""An RDS IAM token as a value."""

from dataclasses import dataclass, field
from datetime import datetime

from aws_iam_async.secret import Secret


@dataclass(frozen=True, slots=True, eq=False)
class Token:
    """A password for one user on one RDS endpoint, good for at most 15 minutes.

    Two tokens signed in the same second are the same text, so tokens are compared as objects, not by value.

    Attributes:
        value: The text to send as the password. Shown redacted.
        issued_at: When it was signed, in whole seconds, as all times here in UTC.
        refresh_at: From when on a new one is generated in the background.
        expires_at: From when on it is no longer served.
        region: The region it was signed for.
        access_key_id: The id of the access key it was signed with.
    """

    value: Secret = field(repr=False)
    issued_at: datetime
    refresh_at: datetime
    expires_at: datetime
    region: str
    access_key_id: str
