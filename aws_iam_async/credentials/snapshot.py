"""What a credentials source answered at one moment."""

from typing import NamedTuple

from aws_iam_async.credentials.credentials import Credentials


class Snapshot(NamedTuple):
    """Credentials, where they came from and until when they work.

    Args:
        credentials: The keys to sign with.
        method: How they were found, in botocore's words (``env``, ``assume-role``, ``container-role``, ...), or
            ``callable``.
    """

    credentials: Credentials
    method: str

    @property
    def expires(self) -> float | None:
        """Wall clock time at which they stop working, ``None`` if unknown or never."""
        expires_at = self.credentials.expires_at
        return None if expires_at is None else expires_at.timestamp()
