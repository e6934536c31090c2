"""A plugin that does not get to hand out the connection that it was given: nothing of it stays open."""

import asyncio
import dataclasses
from typing import Any

import pytest

import aws_iam_async
from aws_iam_async import AwsIamError, ConnectRequest
from tests.credentials.conftest import AwsHome
from tests.login.conftest import Rds, give_environment


class Inspector:
    """Looks at a new connection before it hands it out, and is interrupted in it."""

    def __init__(self, *, error: Exception | None = None, first: int = 1) -> None:
        self.error = error
        self.connections: list[Any] = []
        self.looking = asyncio.Event()
        self._first = first

    async def connect(self, request: ConnectRequest, call_next: Any) -> Any:
        for _ in range(self._first):
            self.connections.append(await call_next(request))
        self.looking.set()
        if self.error is not None:
            raise self.error
        await asyncio.Event().wait()


@pytest.mark.parametrize("inspector_inside", [True, False], ids=["inside of iam", "outside of iam"])
async def test_cancelled(rds: Rds, *, inspector_inside: bool) -> None:
    inspector = Inspector()
    plugins = ["iam", inspector] if inspector_inside else [inspector, "iam"]
    connecting = asyncio.ensure_future(rds.connect(plugins=plugins))
    await inspector.looking.wait()
    assert rds.emulator.connections == 1
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting
    await asyncio.to_thread(rds.emulator.wait_for_connections, 0)


async def test_timed_out(rds: Rds) -> None:
    inspector = Inspector()
    name = "timeout" if rds.driver == "asyncpg" else "connect_timeout"
    with pytest.raises((TimeoutError, rds.refusal), match=r"within 0\.5 s"):
        await rds.connect(plugins=["iam", inspector], **{name: 0.5})
    await asyncio.to_thread(rds.emulator.wait_for_connections, 0)


@pytest.mark.parametrize("way", ["connect", "pool"])
async def test_failed(rds: Rds, way: str) -> None:
    inspector = Inspector(error=LookupError("not what I wanted"), first=2)
    opening = rds.connect if way == "connect" else lambda **options: rds.create_pool(1, 1, **options)
    with pytest.raises(LookupError, match="not what I wanted"):
        await opening(plugins=["iam", inspector])
    assert len(inspector.connections) == 2
    await asyncio.to_thread(rds.emulator.wait_for_connections, 0)


@pytest.mark.parametrize("way", ["connect", "pool"])
async def test_returned_nothing(rds: Rds, way: str) -> None:
    class Forgetful:
        async def connect(self, request: ConnectRequest, call_next: Any) -> None:
            await call_next(request)

    opening = rds.connect if way == "connect" else lambda **options: rds.create_pool(1, 1, **options)
    with pytest.raises(AwsIamError, match=r"returned nothing: it must return the result of call_next\(\)"):
        await opening(plugins=[Forgetful(), "iam"])
    assert len(rds.emulator.logins) == 1
    await asyncio.to_thread(rds.emulator.wait_for_connections, 0)


@pytest.mark.parametrize("wrapped", [lambda coroutine: coroutine, asyncio.ensure_future], ids=["coroutine", "task"])
async def test_returned_what_it_did_not_await(rds: Rds, wrapped: Any) -> None:
    class Hasty:
        async def connect(self, request: ConnectRequest, call_next: Any) -> Any:
            return wrapped(call_next(request))

    with pytest.raises(AwsIamError, match=r"returned a coroutine: write `return await call_next\(request\)`"):
        await rds.connect(plugins=[Hasty(), "iam"])
    await asyncio.sleep(0)
    assert rds.emulator.logins == []


@dataclasses.dataclass
class Wrapped:
    """What hands on everything, but is no connection; nor has it a hash, like all dataclasses that can be compared."""

    connection: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)


class Wrapper:
    """Wraps all connections after the first ones."""

    def __init__(self, first: int = 0) -> None:
        self.first = first

    async def connect(self, request: ConnectRequest, call_next: Any) -> Any:
        connection = await call_next(request)
        self.first -= 1
        return connection if self.first >= 0 else Wrapped(connection)


async def test_returned_what_no_pool_can_hold(rds: Rds) -> None:
    async with aws_iam_async.PluginManager(plugins=[Wrapper(), "iam"]) as manager:
        with pytest.raises(AwsIamError, match=r"type Wrapped, which the pool cannot hold.* \w*Connection of \w"):
            await manager.create_pool(rds.dsn, **rds.options, **rds.sizes(1, 1))
        assert (manager.statistics().connects, manager.statistics().failures) == (0, 1)
    await asyncio.to_thread(rds.emulator.wait_for_connections, 0)


async def test_returned_what_no_pool_can_hold_later(rds: Rds) -> None:
    wrapper = Wrapper(first=1)
    async with rds.create_pool(1, 2, plugins=[wrapper, "iam"]) as pool, rds.acquired(pool, 1):
        async with asyncio.timeout(20):
            with pytest.raises(AwsIamError, match="which the pool cannot hold"):
                await (pool.getconn() if rds.driver == "psycopg" else pool.acquire())
        await asyncio.to_thread(rds.emulator.wait_for_connections, 1)
        wrapper.first = 1
        async with asyncio.timeout(20), rds.acquired(pool, 1):
            pass


async def test_a_single_connection_may_be_wrapped(rds: Rds) -> None:
    wrapped = await rds.connect(plugins=[Wrapper(), "iam"])
    assert isinstance(wrapped, Wrapped)
    await rds.close(wrapped)


async def test_failed_in_a_reconnect(mysql: Rds, aws_home: AwsHome) -> None:
    """aiomysql's ``ping()`` goes through the plugins again."""
    give_environment(aws_home, mysql.emulator.account.create_access_key())
    inspector: Inspector | None = None

    class Later:
        async def connect(self, request: ConnectRequest, call_next: Any) -> Any:
            return await (call_next(request) if inspector is None else inspector.connect(request, call_next))

    connection = await mysql.connect(plugins=["iam", Later()])
    inspector = Inspector(error=LookupError("not what I wanted"))
    mysql.emulator.cut_connections()
    await asyncio.to_thread(mysql.emulator.wait_for_connections, 0)
    with pytest.raises(LookupError):
        await connection.ping()
    assert connection.closed
    await asyncio.to_thread(mysql.emulator.wait_for_connections, 0)
