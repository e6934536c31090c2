"""A refused login causes another read of the credentials even if tokens are never cached."""

from aws_iam_async import PluginManager
from tests.login.conftest import CredentialsEndpoint, Rds


async def test_a_login_with_a_revoked_key_is_repeated_with_the_new_one(
    rds: Rds, credentials_endpoint: CredentialsEndpoint
) -> None:
    async with PluginManager(iam_token_expiration=0) as manager:
        async with manager.connect(rds.dsn, **rds.options):
            pass
        rds.emulator.account.revoke(credentials_endpoint.key.access_key)
        credentials_endpoint.rotate()
        async with manager.connect(rds.dsn, **rds.options) as connection:
            assert await rds.value(connection, "SELECT 1") == 1
    assert [login.accepted for login in rds.emulator.logins] == [True, False, True]
    assert credentials_endpoint.requests == 2
