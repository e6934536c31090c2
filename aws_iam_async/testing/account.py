"""The fictitious AWS account with the access keys that the emulator accepts."""

import base64
import functools
import secrets
import string
import threading
from dataclasses import dataclass, field

from aws_iam_async.credentials.credentials import Credentials
from aws_iam_async.secret import Secret

_BASE32 = string.ascii_uppercase + "234567"

CREDENTIALS_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",  # the old name of AWS_SESSION_TOKEN, which botocore 1.43 still reads
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
)
"""The environment variables that decide on the credentials. An environment with a key of an account has no others."""


@dataclass(frozen=True)
class AccessKey:
    """An access key in the format of AWS. Its ``repr`` does not contain the secret parts.

    Attributes:
        access_key: The access key id. ``AKIA...`` is a long-term key, ``ASIA...`` a temporary key.
        secret_key: The secret access key.
        session_token: The session token of a temporary key. None for a long-term key.
    """

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables from which AWS SDKs and this package read the key."""
        variables = {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}
        if self.session_token is not None:
            variables["AWS_SESSION_TOKEN"] = self.session_token
        return variables


class Account:
    """A fictitious AWS account. All methods are thread-safe.

    Attributes:
        id: The account number, 12 digits.
    """

    def __init__(self) -> None:
        self.id: str = "".join(secrets.choice(string.digits) for _ in range(12))
        self._keys: dict[str, AccessKey] = {}
        self._revoked: set[str] = set()
        self._lock = threading.Lock()

    @functools.cached_property
    def access_key(self) -> AccessKey:
        """The default key of the account: a temporary key, created on first access."""
        return self.create_access_key(session=True)

    async def credentials(self) -> Credentials:
        """Return `access_key` as credentials. Pass this method as the option ``credentials``."""
        key = self.access_key
        return Credentials(key.access_key, key.secret_key, key.session_token)

    def create_access_key(self, *, session: bool = False) -> AccessKey:
        """Create a random access key that is valid immediately.

        Args:
            session: True for a temporary key with a session token, like those of STS, EKS, ECS and EC2. Default: False,
                a long-term key.

        Returns:
            The key. It is valid for this account only, so tests may write it to files and environment variables.
        """
        prefix = "ASIA" if session else "AKIA"
        key = AccessKey(
            access_key=prefix + "".join(secrets.choice(_BASE32) for _ in range(16)),
            secret_key=Secret(base64.b64encode(secrets.token_bytes(30)).decode()),
            # AWS session tokens are several hundred base64 characters. Their + / = must survive URL encoding.
            session_token=Secret(base64.b64encode(secrets.token_bytes(400)).decode()) if session else None,
        )
        with self._lock:
            self._keys[key.access_key] = key
        return key

    def revoke(self, access_key: str) -> None:
        """Refuse tokens that are signed with this key, including tokens signed before this call.

        Args:
            access_key: The access key id.

        Raises:
            KeyError: The account has no key with this id.
        """
        with self._lock:
            self._revoked.add(self._keys[access_key].access_key)

    def restore(self, access_key: str | None = None) -> None:
        """Accept a revoked key again.

        Args:
            access_key: The access key id. Default: all revoked keys.

        Raises:
            KeyError: The account has no key with this id.
        """
        with self._lock:
            if access_key is None:
                self._revoked.clear()
            else:
                self._revoked.discard(self._keys[access_key].access_key)

    def find(self, access_key: str) -> AccessKey | None:
        """Return the key with this id, revoked or not. None if there is no such key.

        Args:
            access_key: The access key id.
        """
        with self._lock:
            return self._keys.get(access_key)

    def is_revoked(self, access_key: str) -> bool:
        """Return whether this key is revoked.

        Args:
            access_key: The access key id.
        """
        with self._lock:
            return access_key in self._revoked

    def __repr__(self) -> str:
        return f"<Account {self.id} with {len(self._keys)} access keys>"
