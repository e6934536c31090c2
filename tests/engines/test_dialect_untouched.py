from typing import Any

import pytest
from sqlalchemy import JSON, Column, Integer, MetaData, String, Table, insert, select, text, update
from sqlalchemy.dialects.postgresql import INET, JSONB
from sqlalchemy.ext.asyncio import create_async_engine as create_plain_engine

from aws_iam_async import ConnectNext, ConnectRequest
from aws_iam_async.sqlalchemy import create_async_engine
from tests.credentials.conftest import AwsHome
from tests.engines.conftest import MakeEngine
from tests.login.conftest import Rds, give_environment

FIELDS = {"host", "port", "user", "database", "db"}
DEFAULT_PORTS = {"postgresql": 5432, "mysql": 3306}


class StoppedError(OSError):
    """As from a host that is down: the next one is tried."""


async def keywords_of_the_dialect(url: str, **connect_args: Any) -> dict[str, Any]:
    """What SQLAlchemy passes to the driver when it connects by itself."""
    said: dict[str, Any] = {}

    async def stop(**keywords: Any) -> None:
        said.update(keywords)
        raise StoppedError

    with pytest.raises(StoppedError):
        await create_plain_engine(url, connect_args={**connect_args, "async_creator_fn": stop}).connect()
    return said


async def requests_of_the_engine(url: str, **connect_args: Any) -> list[ConnectRequest]:
    """Return the requests that the driver gets through the plugins, one for each host."""
    said: list[ConnectRequest] = []

    class Stop:
        async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:  # noqa: ARG002 - stops here
            said.append(request)
            raise StoppedError

    with pytest.raises(StoppedError):
        await create_async_engine(url, plugins=[Stop()], connect_args=connect_args).connect()
    return said


@pytest.mark.parametrize(
    ("url", "connect_args"),
    [
        ("postgresql+asyncpg://app@db.example/shop", {}),
        ("postgresql+asyncpg://app@db.example:6000/shop?prepared_statement_cache_size=7", {}),
        ("postgresql+asyncpg://app@/shop?host=a.example:5433&host=b.example:5434", {}),
        (
            "postgresql+asyncpg://app@db.example/shop?target_session_attrs=any",
            {"server_settings": {"jit": "off"}, "timeout": 5, "prepared_statement_name_func": str},
        ),
        ("mysql+aiomysql://app@db.example/shop", {}),
        ("mysql+aiomysql://app@db.example:3307/shop?charset=utf8mb4&connect_timeout=5&local_infile=1", {}),
        ("mysql+aiomysql://app@db.example/shop?client_flag=8", {"autocommit": True, "init_command": "SET @a = 1"}),
    ],
)
async def test_everything_that_the_dialect_says_reaches_the_driver(url: str, connect_args: dict[str, Any]) -> None:
    said = await keywords_of_the_dialect(url, **connect_args)
    requests = await requests_of_the_engine(url, **connect_args)
    for request in requests:
        assert dict(request.driver_options) == {name: value for name, value in said.items() if name not in FIELDS}
        assert (request.user, request.database) == (said["user"], said.get("database") or said.get("db"))
    hosts = said["host"] if isinstance(said["host"], list) else [said["host"]]
    ports = said["port"] if isinstance(said["host"], list) else [said.get("port", DEFAULT_PORTS[url.partition("+")[0]])]
    assert [(request.host, request.port) for request in requests] == list(zip(hosts, ports, strict=True))


async def test_postgresql_types_settings_and_streams(
    postgresql: Rds, aws_home: AwsHome, make_engine: MakeEngine
) -> None:
    give_environment(aws_home, postgresql.emulator.account.create_access_key())
    engine = make_engine(postgresql, connect_args={"server_settings": {"application_name": "checkout"}})
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT current_setting('application_name')")) == "checkout"
    goods = Table(
        "engine_goods", MetaData(), Column("id", Integer, primary_key=True), Column("what", JSONB),
        Column("more", JSON), Column("place", INET),
    )  # fmt: skip
    async with engine.begin() as connection:
        await connection.run_sync(goods.drop, checkfirst=True)
        await connection.run_sync(goods.create)
        row = {"what": {"a": [1, None]}, "more": {"b": "ü"}, "place": "10.0.0.0/8"}
        made = await connection.execute(insert(goods).values([row] * 3).returning(goods.c.id))
        assert len(made.all()) == 3
        async with connection.stream(select(goods.c.what, goods.c.more)) as stream:
            assert [tuple(found) async for found in stream] == [(row["what"], row["more"])] * 3
    async with engine.begin() as connection:
        await connection.run_sync(goods.drop)


async def test_mysql_counts_matched_rows(mysql: Rds, aws_home: AwsHome, make_engine: MakeEngine) -> None:
    give_environment(aws_home, mysql.emulator.account.create_access_key())
    engine = make_engine(mysql)
    goods = Table("engine_goods", MetaData(), Column("id", Integer, primary_key=True), Column("name", String(20)))
    async with engine.begin() as connection:
        await connection.run_sync(goods.drop, checkfirst=True)
        await connection.run_sync(goods.create)
        await connection.execute(insert(goods).values(id=1, name="ü"))
        # FOUND_ROWS, a flag of the login: nothing changes, but one row matches.
        assert (await connection.execute(update(goods).values(name="ü"))).rowcount == 1
        async with connection.stream(select(goods)) as stream:
            assert [tuple(found) async for found in stream] == [(1, "ü")]
        await connection.run_sync(goods.drop)


async def test_isolation_levels(rds: Rds, make_engine: MakeEngine) -> None:
    engine = make_engine(rds, isolation_level="SERIALIZABLE")
    async with engine.connect() as connection:
        assert await connection.get_isolation_level() == "SERIALIZABLE"
    async with engine.execution_options(isolation_level="REPEATABLE READ").connect() as connection:
        assert await connection.get_isolation_level() == "REPEATABLE READ"
