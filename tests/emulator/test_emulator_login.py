import asyncio
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import aiomysql
import asyncpg
import botocore.session
import pytest
from pymysql.constants import CLIENT

from aws_iam_async.testing import Emulator, LoginRecord, MariadbServer, PostgresServer
from tests.emulator.conftest import MYSQL, POSTGRES, Front, sign, trust


async def test_a_token_logs_the_user_in_to_the_real_server(front: Front) -> None:
    session = await front.connect()
    assert await session.query("SELECT 6 * 7") == [(42,)]
    await session.close()


async def test_the_session_has_the_user_and_the_database_that_were_asked_for(front: Front) -> None:
    session = await front.connect()
    function = "current_database()" if front.emulator.upstream.protocol == "postgresql" else "database()"
    assert await session.query(f"SELECT current_user, {function}") in ([("app", "shop")], [("app@%", "shop")])
    await session.close()


async def test_a_mysql_session_has_the_options_of_its_handshake(rds_mysql: Emulator) -> None:
    connection = await aiomysql.connect(
        host=rds_mysql.dial_host,
        port=rds_mysql.port,
        user="app",
        password=sign(rds_mysql.account.create_access_key(), rds_mysql),
        ssl=trust(rds_mysql),
        charset="latin1",
        client_flag=CLIENT.MULTI_STATEMENTS,
        program_name="checkout",
    )
    async with connection.cursor() as cursor:
        await cursor.execute("SELECT database(), @@character_set_client, connection_id(); SELECT 2")
        # The number of the connection is the real server's: a KILL has to hit the right one.
        assert await cursor.fetchall() == ((None, "latin1", connection.thread_id()),)
        assert await cursor.nextset()
        assert await cursor.fetchall() == ((2,),)
    connection.close()


async def test_a_postgresql_session_has_the_settings_of_its_startup_message(rds_postgres: Emulator) -> None:
    connection = await asyncpg.connect(
        rds_postgres.dsn("app", "shop"),
        password=sign(rds_postgres.account.create_access_key(), rds_postgres),
        ssl=trust(rds_postgres),
        server_settings={"application_name": "checkout", "search_path": "goods"},
    )
    assert await connection.fetchval("SHOW application_name") == "checkout"
    assert await connection.fetchval("SHOW search_path") == "goods"
    await connection.close()


async def test_temporary_credentials_log_in(front: Front) -> None:
    front.key = front.emulator.account.create_access_key(session=True)
    session = await front.connect()
    assert await session.query("SELECT 1") == [(1,)]
    await session.close()


async def test_the_token_of_a_whole_sdk_client_logs_in(front: Front) -> None:
    sdk = botocore.session.Session()
    sdk.set_credentials(front.key.access_key, front.key.secret_key)
    client: Any = sdk.create_client("rds", region_name=front.emulator.region)
    token = client.generate_db_auth_token(front.emulator.host, front.emulator.port, "app", front.emulator.region)
    session = await front.connect(token)
    assert await session.query("SELECT 1") == [(1,)]
    await session.close()


async def test_one_token_logs_in_a_hundred_clients_at_once(front: Front) -> None:
    token = front.token()
    sessions = await asyncio.gather(*(front.connect(token) for _ in range(100)))
    assert front.emulator.connections == 100
    answers = await asyncio.gather(*(session.query("SELECT 1") for session in sessions))
    assert answers == [[(1,)]] * 100
    assert [login.accepted for login in front.emulator.logins] == [True] * 100
    for session in sessions:
        await session.close()
    await asyncio.to_thread(front.emulator.wait_for_connections, 0)


async def test_the_record_tells_who_logged_in_with_which_key(front: Front) -> None:
    front.emulator.clock = lambda: 2_000_000_000.5
    session = await front.connect(front.token(at=1_999_999_990))
    await session.close()
    assert front.emulator.logins == [
        LoginRecord(
            protocol=front.emulator.upstream.protocol,
            user="app",
            database="shop",
            reason=None,
            access_key_id=front.key.access_key,
            issued_at=datetime.fromtimestamp(1_999_999_990, UTC),
            at=datetime.fromtimestamp(2_000_000_000.5, UTC),
        )
    ]
    assert front.emulator.logins[0].accepted


async def test_tls_may_begin_at_once_as_postgresql_17_allows(rds_postgres: Emulator) -> None:
    connection = await asyncpg.connect(
        rds_postgres.dsn("app", "shop"),
        password=sign(rds_postgres.account.create_access_key(), rds_postgres),
        ssl=trust(rds_postgres),
        direct_tls=True,
    )
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()


@pytest.mark.parametrize(("server_class", "kind"), [(PostgresServer, POSTGRES), (MariadbServer, MYSQL)])
async def test_unusual_names_log_in(server_class: type[PostgresServer | MariadbServer], kind: Any) -> None:
    user = "Zoë+o'brien%20 &=/?"

    def start() -> tuple[ExitStack, Emulator]:
        stack = ExitStack()
        server = stack.enter_context(server_class())
        server.create_user(user)
        server.create_database("shop", owner=user)
        return stack, stack.enter_context(Emulator(server))

    stack, emulator = await asyncio.to_thread(start)
    try:
        front = Front(emulator, emulator.account.create_access_key(), *kind)
        session = await front.connect(front.token(user=user), user=user)
        await session.close()
        assert [(login.user, login.reason) for login in emulator.logins] == [(user, None)]
    finally:
        await asyncio.to_thread(stack.close)
