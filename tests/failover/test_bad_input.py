"""Wrong uses of plugin ``role`` are refused, and the message says what to do."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest

import aws_iam_async
from aws_iam_async import ConfigurationError
from tests.failover.conftest import Place

HOST = "shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com"
ADDRESS: dict[str, Any] = {"host": HOST, "user": "app"}
PATTERN = "needs the plugin 'role' in plugins="
SCHEMES = ("postgresql", "postgresql+psycopg", "mysql")


@pytest.mark.parametrize("opening", [aws_iam_async.connect, aws_iam_async.create_pool])
@pytest.mark.parametrize("driver", ["asyncpg", "psycopg", "aiomysql"])
async def test_the_option_without_the_plugin(opening: Callable[..., Awaitable[Any]], driver: str) -> None:
    with pytest.raises(ConfigurationError, match=PATTERN):
        await opening(driver=driver, role="writer", **ADDRESS)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("role", ["writer", "reader"])
async def test_the_option_in_a_dsn_without_the_plugin(scheme: str, role: str) -> None:
    with pytest.raises(ConfigurationError, match=PATTERN):
        await aws_iam_async.connect(f"{scheme}://app@{HOST}/shop?role={role}")


@pytest.mark.parametrize("opening", [aws_iam_async.connect, aws_iam_async.create_pool])
@pytest.mark.parametrize("role", ["primary", "Writer", "", 1, ["writer"], True])
async def test_another_word(opening: Callable[..., Awaitable[Any]], role: Any) -> None:
    with pytest.raises(ConfigurationError, match="role must be 'writer' or 'reader'"):
        await opening(driver="asyncpg", plugins="role,iam", role=role, **ADDRESS)


@pytest.mark.parametrize("opening", [aws_iam_async.connect, aws_iam_async.create_pool])
@pytest.mark.parametrize("driver", ["asyncpg", "psycopg", "aiomysql"])
async def test_no_role(opening: Callable[..., Awaitable[Any]], driver: str) -> None:
    with pytest.raises(ConfigurationError, match="role is missing: plugin 'role' needs role='writer' or role='reader'"):
        await opening(driver=driver, plugins="role,iam", **ADDRESS)


@pytest.mark.parametrize("opening", [aws_iam_async.connect, aws_iam_async.create_pool])
@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
@pytest.mark.parametrize(
    ("role", "attributes"),
    [
        ("writer", "standby"),
        ("writer", "read-only"),
        ("writer", "prefer-standby"),
        ("reader", "primary"),
        ("reader", "read-write"),
    ],
)
async def test_another_role_in_target_session_attrs(
    opening: Callable[..., Awaitable[Any]], driver: str, role: str, attributes: str
) -> None:
    message = f"role='{role}' contradicts target_session_attrs: omit target_session_attrs"
    options: dict[str, Any] = {"plugins": "role,iam", "role": role, "target_session_attrs": attributes}
    with pytest.raises(ConfigurationError, match=message):
        await opening(driver=driver, **options, **ADDRESS)


async def test_several_hosts_and_another_role_in_target_session_attrs() -> None:
    """With ``prefer-standby`` the first turn is for standbys alone."""
    hosts = {**ADDRESS, "host": [HOST, HOST]}
    options: dict[str, Any] = {"plugins": "role,iam", "role": "writer", "target_session_attrs": "prefer-standby"}
    with pytest.raises(ConfigurationError, match="contradicts target_session_attrs:"):
        await aws_iam_async.connect(driver="asyncpg", **options, **hosts)


@pytest.mark.parametrize("opening", [aws_iam_async.connect, aws_iam_async.create_pool])
@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
@pytest.mark.parametrize("role", ["writer", "reader"])
async def test_aurora_dsql(opening: Callable[..., Awaitable[Any]], driver: str, role: str) -> None:
    host = "abc.dsql.us-east-1.on.aws"
    with pytest.raises(ConfigurationError, match="role: every endpoint of Aurora DSQL takes writes; remove it"):
        await opening(driver=driver, plugins="role,iam", role=role, host=host, user="app")


async def test_the_role_in_a_dsn(place: Place) -> None:
    dsn = f"{place.writer.dsn('app', 'shop')}?role=writer"
    options = place._options(place.writer)
    async with place.manager.connect(dsn, **options) as connection:
        await place.write(connection)


@pytest.fixture
async def _no_right(place: Place) -> AsyncIterator[None]:
    function = "FUNCTION pg_catalog.pg_is_in_recovery()"
    await _execute_in_shop(place, f"REVOKE EXECUTE ON {function} FROM public")
    yield
    await place.promote()
    await _execute_in_shop(place, f"GRANT EXECUTE ON {function} TO public")


async def _execute_in_shop(place: Place, sql: str) -> None:
    """Rights on functions belong to one database, and ``cluster.execute`` uses another one."""
    connection = await asyncpg.connect(host=str(place.cluster.primary.directory), user="postgres", database="shop")
    await connection.execute(sql)
    await connection.close()


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
@pytest.mark.usefixtures("_no_right")
async def test_the_right_to_ask_is_needed_only_where_the_server_is_asked(place: Place) -> None:
    async with place.connect() as connection:  # PostgreSQL 14 and newer report it at login
        await place.write(connection)
    await place.demote()
    with pytest.raises(Exception, match="permission denied for function pg_is_in_recovery") as caught:
        await place.connect()
    (note,) = caught.value.__notes__
    assert note == (
        f"Plugin 'role' could not find out whether {place.writer.dial_host}:{place.writer.port} is a writer or a"
        " reader. Check that user 'app' may ask for it, or remove the plugin."
    )
    await asyncio.to_thread(place.writer.wait_for_connections, 0)
