"""AWS credentials as a value."""

from dataclasses import dataclass, field
from datetime import MAXYEAR, UTC, datetime

from aws_iam_async.errors import ConfigurationError
from aws_iam_async.secret import Secret


@dataclass(frozen=True, slots=True)
class Credentials:
    """AWS credentials, as a callable passed as ``credentials=`` returns them.

    Args:
        access_key: The access key id (``AKIA...`` or ``ASIA...``).
        secret_key: The secret access key. Shown redacted.
        session_token: The session token of temporary credentials. Shown redacted.
        expires_at: When temporary credentials stop working: an aware datetime. ``None``: not known, or never.
            The year 9999 means never too, and becomes ``None``.

    Raises:
        ConfigurationError: A value has the wrong type, is empty, or holds what no AWS key ever holds.
    """

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        _check("access_key", self.access_key)
        _check("secret_key", self.secret_key)
        object.__setattr__(self, "secret_key", Secret(self.secret_key))
        if self.session_token is not None:
            _check("session_token", self.session_token)
            object.__setattr__(self, "session_token", Secret(self.session_token))
        if self.expires_at is None:
            return
        expires_at: object = self.expires_at  # whatever an untyped caller passed
        if not isinstance(expires_at, datetime) or expires_at.utcoffset() is None:
            raise ConfigurationError(
                "Credentials: expires_at must be a datetime with a time zone, such as datetime.now(UTC) + "
                f"timedelta(hours=1), not {expires_at!r}"
            )
        object.__setattr__(self, "expires_at", _in_utc(expires_at))


def _in_utc(expires_at: datetime) -> datetime | None:
    try:
        expires_at = expires_at.astimezone(UTC)
    except OverflowError:  # the first or the last hours of all time, where the zone makes no difference
        expires_at = expires_at.replace(tzinfo=UTC)
    return None if expires_at.year == MAXYEAR else expires_at


def _check(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise ConfigurationError(f"Credentials: {name} must be a str, not {type(value).__name__}")
    if not value:
        raise ConfigurationError(f"Credentials: {name} is empty")
    # A line break or a blank copied along with a key makes every signature wrong, and the server never says why.
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ConfigurationError(
            f"Credentials: {name} holds a blank, a line break or another character that AWS keys never hold; "
            "was it copied with one?"
        )
