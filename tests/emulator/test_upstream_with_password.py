import asyncio
import dataclasses

import asyncpg
import pytest

from aws_iam_async.testing import Emulator, PostgresServer, Upstream
from tests.emulator.conftest import connect_postgres, drivers_have_closed, sign

PASSWORD = "correct horse, battery=staple"


@pytest.mark.parametrize("method", ["scram-sha-256", "password"])
def test_a_server_that_asks_for_a_password_gets_it(method: str) -> None:
    with PostgresServer() as server:
        server.execute(f"CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'")
        server.create_database("shop", owner="app")
        rules = server.directory / "data" / "pg_hba.conf"
        rules.write_text(f"local all postgres trust\nlocal all all {method}\n")
        server.restart()
        upstream = dataclasses.replace(server.upstream, password=PASSWORD)
        assert _answer(upstream) == 42
        with pytest.raises(asyncpg.InvalidPasswordError, match='password authentication failed for user "app"'):
            _answer(dataclasses.replace(upstream, password="wrong"))


def test_a_server_with_a_method_that_is_not_known_ends_the_connection() -> None:
    with PostgresServer() as server:
        server.execute(f"SET password_encryption = 'md5'; CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'")
        rules = server.directory / "data" / "pg_hba.conf"
        rules.write_text("local all postgres trust\nlocal all all md5\n")
        server.restart()
        with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError)):
            _answer(dataclasses.replace(server.upstream, password=PASSWORD))


def _answer(upstream: Upstream) -> object:
    """Start an emulator, which blocks, and ask the server one question through it."""
    with Emulator(upstream) as emulator:
        return asyncio.run(_ask(emulator))


async def _ask(emulator: Emulator) -> object:
    token = sign(emulator.account.create_access_key(), emulator)
    try:
        session = await connect_postgres(emulator, token, database="postgres")
        [(answer,)] = await session.query("SELECT 42")
        await session.close()
        return answer
    finally:
        await drivers_have_closed()
