"""A statement that the server denies in the words of a refused login is the user's error, and no refused login."""

from typing import Any

import pytest

from aws_iam_async import ConnectRequest, PluginManager
from tests.login.conftest import CredentialsEndpoint, Rds

DENIED = {
    "asyncpg": "DO $$BEGIN RAISE EXCEPTION 'PAM authentication' USING ERRCODE = '28P01'; END$$",
    "aiomysql": "SIGNAL SQLSTATE '28000' SET MYSQL_ERRNO = 1045, MESSAGE_TEXT = 'Access denied for user'",
}
DENIED["psycopg"] = DENIED["asyncpg"]
RESULTS = f"CREATE OR REPLACE PROCEDURE deny() BEGIN SELECT 1; SELECT 2; {DENIED['aiomysql']}; END"


class Statement:
    """Executes a statement on every new connection."""

    def __init__(self, rds: Rds, statement: str) -> None:
        self.rds = rds
        self.statement = statement

    async def connect(self, request: ConnectRequest, call_next: Any) -> Any:
        connection = await call_next(request)
        if self.rds.driver != "aiomysql":
            await connection.execute(self.statement)
        else:
            async with connection.cursor() as cursor:
                await cursor.execute(self.statement)
                while await cursor.nextset():
                    pass
        return connection


async def is_not_taken_for_a_refused_login(
    rds: Rds, manager: PluginManager, endpoint: CredentialsEndpoint, **options: Any
) -> None:
    async with PluginManager() as plain, plain.connect(rds.dsn, **rds.options):
        pass  # a cached token, which a refused login would replace
    before, reads = len(rds.emulator.logins), endpoint.requests
    with pytest.raises(Exception, match=r"PAM authentication|Access denied") as caught:
        await manager.connect(rds.dsn, **rds.options, **options)
    assert not hasattr(caught.value, "__notes__")
    assert len(rds.emulator.logins) == before + 1
    assert manager.statistics().rejections == 0
    assert endpoint.requests <= reads + 1


async def test_of_a_plugin_inside_of_iam(rds: Rds, credentials_endpoint: CredentialsEndpoint) -> None:
    async with PluginManager(plugins=["iam", Statement(rds, DENIED[rds.driver])]) as manager:
        await is_not_taken_for_a_refused_login(rds, manager, credentials_endpoint)


@pytest.mark.parametrize("rds", ["aiomysql"], indirect=True)
async def test_in_the_second_result_of_a_procedure(rds: Rds, credentials_endpoint: CredentialsEndpoint) -> None:
    async with rds.connect() as connection, connection.cursor() as cursor:
        await cursor.execute(RESULTS)
    async with PluginManager(plugins=["iam", Statement(rds, "CALL deny()")]) as manager:
        await is_not_taken_for_a_refused_login(rds, manager, credentials_endpoint)


@pytest.mark.parametrize("rds", ["aiomysql"], indirect=True)
async def test_of_init_command(rds: Rds, credentials_endpoint: CredentialsEndpoint) -> None:
    async with PluginManager() as manager:
        await is_not_taken_for_a_refused_login(rds, manager, credentials_endpoint, init_command=DENIED["aiomysql"])
