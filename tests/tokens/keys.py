"""Keys of tokens, as tests need them: the one place in tests that knows all that a key holds."""

from aws_iam_async.credentials.source import DEFAULT_CHAIN, CredentialsSource, credentials_source
from aws_iam_async.tokens.token import TokenKey


def make_key(
    user: str = "app",
    *,
    load: object = None,
    signer: CredentialsSource = DEFAULT_CHAIN,
    port: int = 5432,
    expiration: int = 900,
) -> TokenKey:
    """Make one for a made-up database.

    Args:
        load: What is passed as ``credentials=``.
        signer: The source of the credentials if ``load`` is ``None``.
    """
    signer = signer if load is None else credentials_source(credentials=load)
    return TokenKey(host="db.example", port=port, user=user, region="us-east-1", source=signer, expiration=expiration)
