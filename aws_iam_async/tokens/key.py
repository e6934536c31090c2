"""What makes two tokens interchangeable."""

from typing import NamedTuple

from aws_iam_async.credentials.source import CredentialsSource
from aws_iam_async.tokens.lifetime import DEFAULT_EXPIRATION


class TokenKey(NamedTuple):
    """Everything that a token depends on, and for how long it is wanted.

    Attributes:
        host: The host to sign for.
        port: The port to sign for.
        user: The database user.
        region: The region to sign for.
        source: Whose credentials sign it.
        expiration: Seconds it may be served from the cache; 0 for not at all.
    """

    host: str
    port: int
    user: str
    region: str
    source: CredentialsSource
    expiration: float = DEFAULT_EXPIRATION
