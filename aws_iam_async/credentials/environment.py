"""Credentials from environment variables, read without the SDK.

The rules are those of ``botocore.credentials.EnvProvider`` (botocore 1.43), the first link of the default chain. Read
here, the commonest source needs no thread and no SDK.
"""

from collections.abc import Mapping

from aws_iam_async.credentials.credentials import Credentials
from aws_iam_async.credentials.snapshot import Snapshot, take
from aws_iam_async.errors import ConfigurationError, CredentialsError

# botocore 1.43 looks at the older name first.
_SESSION_TOKENS = ("AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN")


def read(environ: Mapping[str, str]) -> Snapshot | None:
    """Read credentials from environment variables.

    Args:
        environ: The environment, ``os.environ``.

    Returns:
        The credentials, or ``None`` if there are none or only the SDK can tell (an expiry in an unusual format).

    Raises:
        CredentialsError: There is an access key without a secret key, or a value that is no key.
    """
    access_key = environ.get("AWS_ACCESS_KEY_ID", "")
    if not access_key:
        return None
    secret_key = environ.get("AWS_SECRET_ACCESS_KEY", "")
    if not secret_key:
        raise CredentialsError("AWS_ACCESS_KEY_ID is set but AWS_SECRET_ACCESS_KEY is not; set both, or neither")
    expires_at = None
    if expiration := environ.get("AWS_CREDENTIAL_EXPIRATION", ""):
        from datetime import datetime  # noqa: PLC0415 - 2 ms, for the few who have it

        try:
            expires_at = datetime.fromisoformat(expiration)
        except ValueError:
            return None
        if expires_at.utcoffset() is None:
            return None
    session_token = next((token for name in _SESSION_TOKENS if (token := environ.get(name, ""))), None)
    try:
        credentials = Credentials(access_key, secret_key, session_token, expires_at)
    except ConfigurationError as error:
        raise CredentialsError(f"the AWS credentials in the environment variables cannot be right: {error}") from None
    return take(credentials, "env")
