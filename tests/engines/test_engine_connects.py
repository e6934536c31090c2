import asyncio
import ssl
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, async_engine_from_config
from sqlalchemy.ext.asyncio import create_async_engine as create_plain_engine

from aws_iam_async import ConfigurationError, ConnectNext, ConnectRequest, Credentials, PluginManager
from aws_iam_async.sqlalchemy import arm, create_async_engine
from aws_iam_async.testing import AccessKey
from tests.engines.conftest import MakeEngine, url
from tests.login.conftest import Rds

WHO = {
    "asyncpg": text("SELECT current_user"),
    "aiomysql": text("SELECT SUBSTRING_INDEX(CURRENT_USER(), '@', 1)"),
    "psycopg": text("SELECT current_user"),
}


async def who(engine: AsyncEngine, rds: Rds) -> Any:
    async with engine.connect() as connection:
        return await connection.scalar(WHO[rds.driver])


async def test_the_drivers_own_connection_is_underneath(rds: Rds, make_engine: MakeEngine) -> None:
    engine = make_engine(rds)
    assert await who(engine, rds) == "app"
    async with engine.connect() as connection:
        raw = await connection.get_raw_connection()
        assert isinstance(raw.driver_connection, rds.connection_type)
    assert [login.accepted for login in rds.emulator.logins] == [True]


async def test_the_url_stays_and_shows_no_password(rds: Rds, make_engine: MakeEngine) -> None:
    engine = make_engine(rds)
    await who(engine, rds)
    assert engine.url == url(rds)
    assert engine.url.password is None


async def test_options_in_the_urls_query(rds: Rds) -> None:
    options = {"iam_host": rds.emulator.host, "iam_region": "us-east-1", "sslrootcert": str(rds.emulator.ca_file)}
    engine = create_async_engine(url(rds, **options))
    assert await who(engine, rds) == "app"
    await engine.dispose()


async def test_an_option_wins_over_the_urls_query(rds: Rds) -> None:
    trusting = {"sslrootcert": str(rds.emulator.ca_file)}
    engine = create_async_engine(url(rds, iam_host="other.c9akciq32.us-east-1.rds.amazonaws.com", **trusting))
    arm(engine_of_its_own := create_plain_engine(engine.url), iam_host=rds.emulator.host)
    with pytest.raises(Exception, match=r"Hostname mismatch|does not match host name"):
        await who(engine, rds)
    assert await who(engine_of_its_own, rds) == "app"
    await engine.dispose()
    await engine_of_its_own.dispose()


@pytest.mark.parametrize("option", ["ssl", "sslmode"])
async def test_a_tls_word_replaces_that_of_the_url_and_uses_its_root_certificate(rds: Rds, option: str) -> None:
    # Plugin 'iam' refuses `prefer`, and only this file contains the emulator's authority.
    in_url = {"sslmode": "prefer", "sslrootcert": str(rds.emulator.ca_file)}
    word: dict[str, Any] = {option: "verify-full"}
    engine = create_async_engine(url(rds, **in_url), iam_host=rds.emulator.host, **word)
    assert await who(engine, rds) == "app"
    await engine.dispose()


async def test_a_context_replaces_all_tls_options_of_the_url(rds: Rds) -> None:
    context = await asyncio.to_thread(ssl.create_default_context, cafile=rds.emulator.ca_file)
    if rds.driver == "psycopg":
        with pytest.raises(ConfigurationError, match="takes no SSLContext"):
            await who(create_async_engine(url(rds), iam_host=rds.emulator.host, ssl=context), rds)
        return
    in_url = {"sslmode": "verify-full", "sslrootcert": "nowhere.pem"}
    engine = create_async_engine(url(rds, **in_url), iam_host=rds.emulator.host, ssl=context)
    assert await who(engine, rds) == "app"
    await engine.dispose()


async def test_an_engine_made_elsewhere(rds: Rds) -> None:
    settings = {"db.url": url(rds), "db.pool_size": "3"}
    engine = async_engine_from_config(settings, "db.")
    arm(engine, **rds.options)
    assert await who(engine, rds) == "app"
    assert await who(engine.execution_options(isolation_level="AUTOCOMMIT"), rds) == "app"
    assert len(rds.emulator.logins) == 1
    await engine.dispose()


async def test_arming_twice_is_refused(rds: Rds, make_engine: MakeEngine) -> None:
    engine = make_engine(rds)
    with pytest.raises(ConfigurationError, match="is armed already; create another one"):
        arm(engine, **rds.options)
    # These engines share the pool and the dialect, so they are armed together.
    with pytest.raises(ConfigurationError, match="is armed already"):
        arm(engine.execution_options(isolation_level="AUTOCOMMIT"), **rds.options)
    assert rds.emulator.logins == []


async def test_an_engine_is_armed_by_way_of_its_options_once(rds: Rds) -> None:
    engine = create_plain_engine(url(rds))
    arm(engine.execution_options(isolation_level="AUTOCOMMIT"), **rds.options)
    with pytest.raises(ConfigurationError, match="is armed already"):
        arm(engine, **rds.options)
    assert await who(engine, rds) == "app"
    await engine.dispose()


async def test_an_engine_without_asyncio_is_refused(rds: Rds, make_engine: MakeEngine) -> None:
    engine: Any = make_engine(rds).sync_engine
    with pytest.raises(ConfigurationError, match="must be an AsyncEngine of SQLAlchemy, not Engine"):
        arm(engine, **rds.options)


async def test_engines_with_different_identities(rds: Rds, make_engine: MakeEngine) -> None:
    keys = [rds.emulator.account.create_access_key(session=session) for session in (False, True)]

    def given(key: AccessKey) -> Any:
        async def credentials() -> Credentials:
            return Credentials(key.access_key, key.secret_key, key.session_token)

        return credentials

    engines = [make_engine(rds, credentials=given(key)) for key in keys]
    await asyncio.gather(*(who(engine, rds) for engine in engines))
    assert {login.access_key_id for login in rds.emulator.logins} == {key.access_key for key in keys}


async def test_a_manager_of_ones_own_counts(rds: Rds) -> None:
    async with PluginManager() as manager:
        engine = create_async_engine(url(rds), manager=manager, **rds.options)
        await who(engine, rds)
        await engine.dispose()
        await who(engine, rds)
        await engine.dispose()
        assert (manager.statistics().connects, manager.statistics().generations) == (2, 1)


async def test_plugins_of_ones_own(rds: Rds, make_engine: MakeEngine) -> None:
    seen: list[ConnectRequest] = []

    class Witness:
        option_names = frozenset({"witness"})

        async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:
            seen.append(request)
            return await call_next(request)

    await who(make_engine(rds, plugins=[Witness(), "iam"], witness="here"), rds)
    assert [request.options["witness"] for request in seen] == ["here"]


async def test_a_refused_cached_token_is_replaced(rds: Rds, make_engine: MakeEngine) -> None:
    engine = make_engine(rds)
    await who(engine, rds)
    await engine.dispose()
    rds.emulator.faults.reject_next(1)
    assert await who(engine, rds) == "app"
    assert [login.accepted for login in rds.emulator.logins] == [True, False, True]


async def test_a_refused_login_says_what_to_check(rds: Rds, make_engine: MakeEngine) -> None:
    rds.emulator.faults.reject_next(1)
    with pytest.raises((rds.refusal, DBAPIError)) as caught:  # SQLAlchemy 2.0 leaves asyncpg's own exceptions alone
        await who(make_engine(rds), rds)
    chain: list[BaseException] = [caught.value]
    while (cause := chain[-1].__cause__) is not None:
        chain.append(cause)
    notes = "\n".join(note for error in chain for note in getattr(error, "__notes__", ()))
    assert "signed for user 'app'" in notes
    assert "rds-db:connect" in notes
