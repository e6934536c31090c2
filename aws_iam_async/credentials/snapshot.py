"""What a credentials source answered at one moment."""

from typing import NamedTuple

from aws_iam_async.credentials.credentials import Credentials


class Snapshot(NamedTuple):
    """Credentials, where they came from and until when they work.

    Attributes:
        credentials: The keys to sign with.
        method: How they were found, in botocore's words (``env``, ``assume-role``, ``container-role``, ...), or
            ``callable``.
        expires: Wall clock time at which they stop working, ``None`` if unknown or never.
    """

    credentials: Credentials
    method: str
    expires: float | None


def take(credentials: Credentials, method: str) -> Snapshot:
    """Return a snapshot of what was found in one way or another."""
    expires_at = credentials.expires_at
    return Snapshot(credentials, method, None if expires_at is None else expires_at.timestamp())
