"""AWS credentials as a value."""

from typing import TYPE_CHECKING

from aws_iam_async.errors import ConfigurationError
from aws_iam_async.frozen import Frozen
from aws_iam_async.secret import Secret

if TYPE_CHECKING:
    from datetime import datetime


class Credentials(Frozen):
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
    secret_key: str
    session_token: str | None = None
    expires_at: "datetime | None" = None

    def __init__(
        self,
        access_key: str,
        secret_key: str,
        session_token: str | None = None,
        expires_at: "datetime | None" = None,
    ) -> None:
        vars(self).update(access_key=access_key)  # for the repr in a traceback with locals
        _check("access_key", access_key)
        _check("secret_key", secret_key)
        if session_token is not None:
            _check("session_token", session_token)
        vars(self).update(
            access_key=access_key,
            secret_key=Secret(secret_key),
            session_token=None if session_token is None else Secret(session_token),
            expires_at=None if expires_at is None else _in_utc(expires_at),
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Credentials) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        return f"Credentials(access_key={self.access_key!r}, expires_at={self.expires_at!r})"

    def _values(self) -> tuple[object, ...]:
        return self.access_key, self.secret_key, self.session_token, self.expires_at


def _in_utc(expires_at: object) -> "datetime | None":
    from datetime import MAXYEAR, UTC, datetime  # noqa: PLC0415 - 2 ms, which importing this package should not cost

    if not isinstance(expires_at, datetime) or expires_at.utcoffset() is None:
        raise ConfigurationError(
            "Credentials: expires_at must be a datetime with a time zone, such as datetime.now(UTC) + "
            f"timedelta(hours=1), not {expires_at!r}"
        )
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
