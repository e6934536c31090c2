"""Turn the SDK's credentials objects into values of this package, without importing the SDK."""

from datetime import datetime

from aws_iam_async.credentials.credentials import Credentials
from aws_iam_async.credentials.snapshot import Snapshot, take
from aws_iam_async.errors import ConfigurationError, CredentialsError


def freeze(frozen: object, *, method: str, expires_at: object = None) -> Snapshot:
    """Copy what ``ReadOnlyCredentials`` holds.

    Args:
        frozen: botocore's ``ReadOnlyCredentials``, or anything with ``access_key``, ``secret_key`` and ``token``.
        method: How it was found, for reports.
        expires_at: When it stops working, if it is known; anything but an aware datetime is not.

    Raises:
        CredentialsError: It is not such an object, or holds no usable keys.
    """
    try:
        keys = (frozen.access_key, frozen.secret_key, frozen.token)  # type: ignore[attr-defined]  # asked for just here
    except (AttributeError, NotImplementedError):  # aiobotocore's refreshable credentials raise the latter
        raise CredentialsError(
            f"the credentials source ({method}) gave a {type(frozen).__name__}, which is neither "
            "aws_iam_async.Credentials nor botocore's ReadOnlyCredentials"
        ) from None
    access_key, secret_key, session_token = keys
    if not isinstance(expires_at, datetime) or expires_at.utcoffset() is None:
        expires_at = None
    try:
        # An empty session token is what some credential processes write for "none".
        credentials = Credentials(access_key, secret_key, session_token or None, expires_at)
    except ConfigurationError as error:
        raise CredentialsError(f"the credentials source ({method}) gave unusable keys: {error}") from None
    return take(credentials, method)


def expiry(credentials: object) -> object:
    """Return when the SDK's credentials object expires, ``None`` if it does not say.

    botocore 1.43 keeps it in a private attribute, and nowhere else.
    """
    return getattr(credentials, "_expiry_time", None)
