"""A made-up AWS account: the access keys that the emulator knows."""

import base64
import functools
import secrets
import string
import threading
from dataclasses import dataclass, field

from aws_iam_async.credentials.credentials import Credentials
from aws_iam_async.secret import Secret

_BASE32 = string.ascii_uppercase + "234567"


@dataclass(frozen=True)
class AccessKey:
    """An access key as AWS hands it out, with its secret parts redacted in ``repr``.

    Attributes:
        access_key: The access key id: ``AKIA...`` for a lasting key, ``ASIA...`` for a temporary one.
        secret_key: The secret access key.
        session_token: The session token of a temporary key, else None.
    """

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables in which every AWS SDK, and this package, look for a key first."""
        variables = {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}
        if self.session_token is not None:
            variables["AWS_SESSION_TOKEN"] = self.session_token
        return variables


class Account:
    """A made-up AWS account that several threads may use at once.

    Attributes:
        id: The twelve digits of the account's number.
    """

    def __init__(self) -> None:
        self.id: str = "".join(secrets.choice(string.digits) for _ in range(12))
        self._keys: dict[str, AccessKey] = {}
        self._revoked: set[str] = set()
        self._lock = threading.Lock()

    @functools.cached_property
    def access_key(self) -> AccessKey:
        """A temporary key that is made when it is first asked for: the one for tests that do not care which."""
        return self.create_access_key(session=True)

    async def credentials(self) -> Credentials:
        """Return `access_key` in the form that the option ``credentials`` asks for."""
        key = self.access_key
        return Credentials(key.access_key, key.secret_key, key.session_token)

    def create_access_key(self, *, session: bool = False) -> AccessKey:
        """Make a new random access key that is valid at once.

        Args:
            session: True for a temporary key with a session token, as STS, EKS, ECS and EC2 hand out.

        Returns:
            The key. Nothing of it exists anywhere else, so it is safe in files and environments of tests.
        """
        prefix = "ASIA" if session else "AKIA"
        key = AccessKey(
            access_key=prefix + "".join(secrets.choice(_BASE32) for _ in range(16)),
            secret_key=Secret(base64.b64encode(secrets.token_bytes(30)).decode()),
            # A real one is some hundred characters of base64, whose + / = have to survive the URL encoding.
            session_token=Secret(base64.b64encode(secrets.token_bytes(400)).decode()) if session else None,
        )
        with self._lock:
            self._keys[key.access_key] = key
        return key

    def revoke(self, access_key: str) -> None:
        """Refuse tokens signed with this key from now on, those made before included.

        Args:
            access_key: The access key id.

        Raises:
            KeyError: The account never had such a key.
        """
        with self._lock:
            self._revoked.add(self._keys[access_key].access_key)

    def restore(self, access_key: str | None = None) -> None:
        """Accept a revoked key again.

        Args:
            access_key: The access key id; default: every revoked key.

        Raises:
            KeyError: The account never had such a key.
        """
        with self._lock:
            if access_key is None:
                self._revoked.clear()
            else:
                self._revoked.discard(self._keys[access_key].access_key)

    def find(self, access_key: str) -> AccessKey | None:
        """Return the key with this id, revoked or not, or None.

        Args:
            access_key: The access key id.
        """
        with self._lock:
            return self._keys.get(access_key)

    def is_revoked(self, access_key: str) -> bool:
        """Tell whether this key has been revoked.

        Args:
            access_key: The access key id.
        """
        with self._lock:
            return access_key in self._revoked

    def __repr__(self) -> str:
        return f"<Account {self.id} with {len(self._keys)} access keys>"
