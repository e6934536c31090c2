import dataclasses

import asyncpg
import pytest

from aws_iam_async.testing import Emulator, PostgresServer, Upstream
from tests.emulator.conftest import sign, trust

PASSWORD = "correct horse, battery=staple"


@pytest.mark.parametrize("method", ["scram-sha-256", "password"])
async def test_a_server_that_asks_for_a_password_gets_it(method: str) -> None:
    with PostgresServer() as server:
        server.execute(f"CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'")
        server.create_database("shop", owner="app")
        rules = server.directory / "data" / "pg_hba.conf"
        rules.write_text(f"local all postgres trust\nlocal all all {method}\n")
        server.restart()
        upstream = dataclasses.replace(server.upstream, password=PASSWORD)
        assert await _answer(upstream) == 42
        with pytest.raises(asyncpg.InvalidPasswordError, match='password authentication failed for user "app"'):
            await _answer(dataclasses.replace(upstream, password="wrong"))


async def test_a_server_with_a_method_that_is_not_known_ends_the_connection() -> None:
    with PostgresServer() as server:
        server.execute(f"SET password_encryption = 'md5'; CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'")
        rules = server.directory / "data" / "pg_hba.conf"
        rules.write_text("local all postgres trust\nlocal all all md5\n")
        server.restart()
        with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError)):
            await _answer(dataclasses.replace(server.upstream, password=PASSWORD))


async def _answer(upstream: Upstream) -> object:
    with Emulator(upstream) as emulator:
        token = sign(emulator.account.create_access_key(), emulator)
        connection = await asyncpg.connect(
            emulator.dsn("app", "postgres"), password=token, ssl=trust(emulator), timeout=10
        )
        try:
            return await connection.fetchval("SELECT 42")
        finally:
            await connection.close()
