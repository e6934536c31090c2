"""AWS credentials as values, whatever source they come from. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, datetime
from typing import NamedTuple

from aws_iam_async.errors import ConfigurationError, CredentialsError
from aws_iam_async.secret import redacted

# Keys are base64. A few more characters are accepted, because AWS does not specify session tokens.
_OTHER_CHARACTERS = r"[^A-Za-z0-9_+/=.:~@-]"


@dataclass(frozen=True, repr=False, init=False)
class Credentials:
    """AWS credentials, as a callable passed as ``credentials=`` returns them.

    Args:
        access_key: The access key id (``AKIA...`` or ``ASIA...``).
        secret_key: The secret access key. Redacted in ``repr``.
        session_token: The session token of temporary credentials. Redacted in ``repr``.
        expires_at: When temporary credentials stop working: an aware datetime. ``None``: unknown, or never.
            The year 9999 means never too, and becomes ``None``.

    Raises:
        ConfigurationError: A value has the wrong type, is empty, or contains characters that no AWS key contains.
    """

    access_key: str
    secret_key: str
    session_token: str | None = None
    expires_at: datetime | None = None

    def __init__(
        self, access_key: str, secret_key: str, session_token: str | None = None, expires_at: datetime | None = None
    ) -> None:
        object.__setattr__(self, "access_key", access_key)
        try:
            _check("Credentials: access_key", access_key)
            _check("Credentials: secret_key", secret_key)
            if session_token is not None:
                _check("Credentials: session_token", session_token)
            object.__setattr__(self, "secret_key", redacted(secret_key))
            object.__setattr__(self, "session_token", redacted(session_token))
            object.__setattr__(self, "expires_at", None if expires_at is None else _in_utc(expires_at))
        except ConfigurationError as error:
            del secret_key, session_token  # a traceback with locals shows what a frame holds
            raise error.with_traceback(None) from None

    def __repr__(self) -> str:
        return f"Credentials(access_key={self.access_key!r}, expires_at={self.expires_at!r})"


def is_temporary(access_key: str) -> bool:
    """Return whether an access key id belongs to temporary credentials, which need a session token."""
    return access_key.startswith("ASIA")


class Snapshot(NamedTuple):
    credentials: Credentials
    method: str  # how they were found, in botocore's words ("env", "assume-role", "container-role", ...), or "callable"

    @property
    def expires(self) -> float | None:
        """When they stop working, in seconds since the epoch; ``None``: unknown, or never."""
        expires_at = self.credentials.expires_at
        return None if expires_at is None else expires_at.timestamp()


def from_environment(environ: Mapping[str, str]) -> Snapshot | None:
    """Read credentials from environment variables, by the rules of ``EnvProvider`` in botocore 1.43.

    It is the first link of the default chain. ``None``: there are none, or only the SDK can read their expiry.
    """
    access_key = environ.get("AWS_ACCESS_KEY_ID", "")
    if not access_key:
        return None
    secret_key = environ.get("AWS_SECRET_ACCESS_KEY", "")
    if not secret_key:
        raise CredentialsError("AWS_ACCESS_KEY_ID is set but AWS_SECRET_ACCESS_KEY is not; set both, or neither")
    expires_at = None
    if expiration := environ.get("AWS_CREDENTIAL_EXPIRATION", ""):
        try:
            expires_at = datetime.fromisoformat(expiration)
        except ValueError:
            return None
        if expires_at.utcoffset() is None:
            return None
    # botocore 1.43 looks at the older name first.
    token_variable = "AWS_SECURITY_TOKEN" if environ.get("AWS_SECURITY_TOKEN") else "AWS_SESSION_TOKEN"
    session_token = environ.get(token_variable) or None
    try:
        for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", *([token_variable] if session_token else ())):
            _check(variable, environ[variable])
        return Snapshot(Credentials(access_key, secret_key, session_token, expires_at), "env")
    except ConfigurationError as error:
        raise CredentialsError(f"the AWS credentials in the environment variables are invalid: {error}") from None


def from_sdk(frozen: object, owner: object, *, source: str, method: str) -> Snapshot:
    """Copy botocore's ``ReadOnlyCredentials``, with the expiry of the object that owns them. It may be unknown."""
    try:
        keys = (frozen.access_key, frozen.secret_key, frozen.token)  # type: ignore[attr-defined]  # checked just here
    except (AttributeError, NotImplementedError):  # aiobotocore's refreshable credentials raise the latter
        raise CredentialsError(
            f"{source} ({method}) returned a {type(frozen).__name__}, which is neither "
            "aws_iam_async.Credentials nor botocore's ReadOnlyCredentials"
        ) from None
    access_key, secret_key, session_token = keys
    expires_at = getattr(owner, "_expiry_time", None)  # botocore 1.43 has it nowhere else
    if not isinstance(expires_at, datetime) or expires_at.utcoffset() is None:
        expires_at = None
    try:
        # Some credential processes write an empty session token for "none".
        return Snapshot(Credentials(access_key, secret_key, session_token or None, expires_at), method)
    except ConfigurationError as error:
        raise CredentialsError(f"{source} ({method}) returned unusable credentials: {error}") from None


def _in_utc(expires_at: object) -> datetime | None:
    if not isinstance(expires_at, datetime) or expires_at.utcoffset() is None:
        raise ConfigurationError(
            "Credentials: expires_at must be a datetime with a time zone, such as datetime.now(UTC) + "
            f"timedelta(hours=1), not {expires_at!r}"
        )
    try:
        expires_at = expires_at.astimezone(UTC)
    except OverflowError:  # within a day of the first or last datetime, where the zone makes no difference
        expires_at = expires_at.replace(tzinfo=UTC)
    return None if expires_at.year == MAXYEAR else expires_at


def _check(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise ConfigurationError(f"{name} must be a str, not {type(value).__name__}")
    if not value:
        raise ConfigurationError(f"{name} is empty")
    # Any of them makes every signature wrong, and the server gives no reason.
    if other := re.search(_OTHER_CHARACTERS, value):
        found = {" ": "a space", "\n": "a line break"}.get(other[0], ascii(other[0]))
        raise ConfigurationError(
            f"{name} contains {found}, which no AWS key contains. Remove quotes, line breaks and placeholders around it"
        )
