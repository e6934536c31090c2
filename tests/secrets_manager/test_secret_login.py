"""The user and the password of a secret log in, and the rest of the secret fills what the caller left out."""

import asyncio
import json
import warnings
from typing import Any

import pytest
from sqlalchemy import text

from aws_iam_async import ConfigurationError, PluginManager, connect, create_pool
from aws_iam_async.sqlalchemy import create_async_engine
from tests.credentials.conftest import AwsHome
from tests.secrets_manager.conftest import REGION, SECRET, SECRET_KEY, Database


async def test_everything_comes_from_the_secret(database: Database, manager: PluginManager) -> None:
    await asyncio.to_thread(database.rotate, "app", "correct horse 1")
    async with manager.connect(**database.options) as connection:
        assert await database.user(connection) == "app"


async def test_the_module_functions_and_a_pool(database: Database) -> None:
    await asyncio.to_thread(database.rotate, "app", "correct horse 2")
    options = {**database.options, "plugins": "secrets_manager"}
    async with create_pool(**options, **database.sizes(2, 4)) as pool, database.acquired(pool) as connection:
        assert await database.user(connection) == "app"
    async with connect(**options) as connection:
        assert await database.user(connection) == "app"
    assert database.store.reads == 1


async def test_options_in_a_dsn(database: Database, manager: PluginManager) -> None:
    await asyncio.to_thread(database.rotate, "app", "correct horse 3", host="203.0.113.1", dbname="missing")
    options = database.options
    system = {"asyncpg": "postgresql", "psycopg": "postgresql+psycopg", "aiomysql": "mysql"}[options.pop("driver")]
    query = "&".join(f"{name}={value}" for name, value in options.items())
    dsn = f"{system}://127.0.0.1:{database.server.port}/shop?{query}&secret_expiration=60"
    async with manager.connect(dsn) as connection:
        assert await database.user(connection) == "app"


async def test_a_port_of_the_caller_wins_if_it_is_not_the_default_one(
    database: Database, manager: PluginManager
) -> None:
    await asyncio.to_thread(database.rotate, "app", "correct horse 10", port=9)
    async with manager.connect(**database.options, port=database.server.port) as connection:
        assert await database.user(connection) == "app"


async def test_the_server_is_verified_as_iam_host(database: Database, manager: PluginManager) -> None:
    """Through a tunnel: the certificate is for 127.0.0.1."""
    await asyncio.to_thread(database.rotate, "app", "correct horse 12")
    tunnel = {**database.options, "host": "localhost", "port": database.server.port, "database": "shop"}
    with pytest.raises((OSError, database.refusal)) as info:
        await manager.connect(**tunnel)
    assert "pass iam_host=" in info.value.__notes__[0]
    async with manager.connect(**tunnel, iam_host="127.0.0.1") as connection:
        assert await database.user(connection) == "app"


async def test_the_profile_names_the_endpoint(database: Database, manager: PluginManager, aws_home: AwsHome) -> None:
    aws_home.config.write_text(
        f"[profile prod]\naws_access_key_id = AKIAPROD\naws_secret_access_key = {SECRET_KEY}\n"
        f"endpoint_url = {database.store.url}\n"
    )
    await asyncio.to_thread(database.rotate, "app", "correct horse 11")
    async with manager.connect(**database.options | {"secret_endpoint": None}, profile="prod") as connection:
        assert await database.user(connection) == "app"


async def test_an_engine_of_sqlalchemy(database: Database) -> None:
    await asyncio.to_thread(database.rotate, "app", "correct horse 4")
    options = database.options
    scheme = {"asyncpg": "postgresql+asyncpg", "psycopg": "postgresql+psycopg", "aiomysql": "mysql+aiomysql"}
    engine = create_async_engine(f"{scheme[options.pop('driver')]}://", plugins="secrets_manager", **options)
    async with engine.connect() as connection:
        assert str(await connection.scalar(text("SELECT current_user"))).startswith("app")
    await engine.dispose()


async def test_an_arn_and_other_names_of_properties(database: Database, manager: PluginManager) -> None:
    await asyncio.to_thread(database.server.set_password, "app", "correct horse 5")
    document = database.document("other", "wrong", login="app", key="correct horse 5")
    arn = await asyncio.to_thread(database.store.put, document)
    options = {**database.options, "secret_id": arn, "secret_region": None}
    names: dict[str, Any] = {"secret_username_property": "login", "secret_password_property": "key"}
    async with manager.connect(**options, **names) as connection:
        assert await database.user(connection) == "app"


@pytest.mark.parametrize("number", ["1e5", "1.50", "1" * 5000])
async def test_a_password_that_is_a_number_is_sent_as_it_is_written(
    number: str, database: Database, manager: PluginManager
) -> None:
    await asyncio.to_thread(database.rotate, "app", number)
    quoted = json.dumps(database.document("app", number))
    await asyncio.to_thread(database.store.put, quoted.replace(f'"{number}"', number))
    async with manager.connect(**database.options) as connection:
        assert await database.user(connection) == "app"


async def test_a_byte_order_mark_before_the_document(database: Database, manager: PluginManager) -> None:
    await asyncio.to_thread(database.rotate, "app", "correct horse 9")
    await asyncio.to_thread(database.store.put, "\ufeff" + json.dumps(database.document("app", "correct horse 9")))
    async with manager.connect(**database.options) as connection:
        assert await database.user(connection) == "app"


async def test_a_plain_secret_is_the_password(database: Database, manager: PluginManager) -> None:
    await asyncio.to_thread(database.server.set_password, "app", "12345678")
    await asyncio.to_thread(database.store.put, "12345678")
    place: dict[str, Any] = {"host": "127.0.0.1", "port": database.server.port, "database": "shop"}
    async with manager.connect(**database.options, **place, user="app") as connection:
        assert await database.user(connection) == "app"
    with pytest.raises(ConfigurationError, match=f"user is missing: secret '{SECRET}' in {REGION} is plain text"):
        await manager.connect(**database.options, **place)


async def test_a_refused_password_that_is_malformed_json(database: Database, manager: PluginManager) -> None:
    await asyncio.to_thread(database.store.put, '{"username": "app", "password": ')
    place: dict[str, Any] = {"host": "127.0.0.1", "port": database.server.port, "database": "shop"}
    with pytest.raises(database.refusal) as raised:
        await manager.connect(**database.options, **place, user="app")
    assert "The secret is not a JSON object, so its whole text was the password." in "".join(raised.value.__notes__)


async def test_a_user_beside_that_of_the_secret_is_a_warning(database: Database, manager: PluginManager) -> None:
    await asyncio.to_thread(database.rotate, "app", "correct horse 6")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        await close(database, await manager.connect(**database.options, user="app"))
    with pytest.warns(
        UserWarning,
        match="user is ignored: secret 'shop/app' in eu-west-1 names another one. Omit user, or unset PGUSER",
    ) as warned:
        connection = await manager.connect(**database.options, user="someone")
    assert [warning.filename for warning in warned] == [__file__]
    assert await database.user(connection) == "app"
    await close(database, connection)


async def test_a_password_is_ignored_with_a_warning(database: Database, manager: PluginManager) -> None:
    await asyncio.to_thread(database.rotate, "app", "correct horse 7")
    with pytest.warns(UserWarning, match="password is ignored: plugin 'secrets_manager'"):
        connection = await manager.connect(**database.options, password="other")
    await close(database, connection)


async def test_a_secret_for_another_kind_of_database(database: Database, manager: PluginManager) -> None:
    engine, other = (
        ("mysql", "mysql") if database.server.system == "postgresql" else ("aurora-postgresql", "postgresql")
    )
    await asyncio.to_thread(database.rotate, "app", "correct horse 8", engine=engine)
    with pytest.raises(ConfigurationError, match=f"is for {other}, and driver {database.driver} is for"):
        await manager.connect(**database.options)


async def close(database: Database, connection: Any) -> None:
    await (connection.ensure_closed() if database.driver == "aiomysql" else connection.close())
