"""A caller gets a connection only if the server has the requested role."""

import asyncio
import contextlib
import re
import socket
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy

from aws_iam_async import ConnectRequest, PluginManager, WrongServerError, pipeline, search
from aws_iam_async.plugins.protocol import ConnectNext
from tests.failover.conftest import INSERT, TIMED_OUT, Place, insert, until

TOO_SHORT = 0.3  # seconds; one try and no second one


async def test_single_connections(place: Place) -> None:
    async with place.connect(role="writer") as connection:
        await place.write(connection)
    async with place.connect(role="reader", of=place.reader) as connection:
        await place.refuse_write(connection)


async def test_pools(place: Place) -> None:
    async with place.create_pool(1, 2, role="writer") as pool, place.acquire(pool) as connection:
        await place.write(connection)
    async with place.create_pool(1, 2, role="reader", of=place.reader) as pool, place.acquire(pool) as connection:
        await place.refuse_write(connection)


async def test_engines(place: Place) -> None:
    engine = place.create_engine(role="writer")
    await insert(engine)
    assert place.manager.statistics().connects == 2  # with the one of the fixture


@pytest.mark.parametrize(("role", "other"), [("writer", "reader"), ("reader", "writer")])
async def test_a_server_with_the_other_role_is_left_again(place: Place, role: str, other: str) -> None:
    emulator = place.reader if role == "writer" else place.writer
    with pytest.raises(TIMED_OUT[place.driver]) as caught:
        await place.connect(role=role, of=emulator, **place.limit(TOO_SHORT))
    address = f"{emulator.dial_host}:{emulator.port}"
    (note,) = caught.value.__notes__
    assert note.startswith(f"{address} is a {other}, not a {role}. It was tried once in 0.")
    await place.left(emulator, 0)
    statistics = place.manager.statistics()
    assert (statistics.wrong_servers, statistics.failures) == (1, 1)
    assert statistics.as_dict()["wrong_servers"] == 1


async def test_an_engine_fails_with_the_same_note(place: Place) -> None:
    engine = place.create_engine(of=place.reader, connect_args=place.limit(TOO_SHORT))
    with pytest.raises((sqlalchemy.exc.DBAPIError, TimeoutError)) as caught:
        await insert(engine)
    causes: list[BaseException] = [caught.value]
    while causes[-1].__cause__:
        causes.append(causes[-1].__cause__)
    timed_out = next(error for error in causes if isinstance(error, TIMED_OUT[place.driver]))
    assert "is a reader, not a writer" in timed_out.__notes__[0]
    await place.left(place.reader, 0)


async def test_it_is_tried_again_until_the_role_is_right(place: Place) -> None:
    await place.demote()
    connecting = asyncio.ensure_future(place.connect(**place.limit(30)))
    await until(lambda: place.manager.statistics().wrong_servers >= 2)
    await place.promote()
    connection = await connecting
    await place.write(connection)
    await place.left(place.writer, 1)
    await place.close(connection)


async def test_the_note_says_how_often_and_for_how_long(place: Place) -> None:
    before = time.monotonic()
    with pytest.raises(TIMED_OUT[place.driver]) as caught:
        await place.connect(of=place.reader, **place.limit(1.5))
    logins = len(place.reader.logins)
    assert logins in {2, 3}
    (note,) = caught.value.__notes__
    assert f"It was tried {logins} times in 1." in note
    assert time.monotonic() - before >= 1.5


async def test_without_a_limit_the_search_ends_with_its_own_error(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "LONGEST_SEARCH", 0.8)
    with pytest.raises(WrongServerError, match="is a reader, not a writer") as caught:
        await place.connect(of=place.reader, **place.limit(None))
    assert re.search("It was tried [23] times in ", caught.value.__notes__[0])
    await place.left(place.reader, 0)


async def test_an_earlier_search_does_not_shorten_the_next_one(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """aiomysql has no limit by default. The caller's own search counts."""
    monkeypatch.setattr(pipeline, "LONGEST_SEARCH", 2.0)
    async with place.create_pool(0, 2, of=place.reader, **place.limit(None)) as pool:
        for _ in range(2):
            place.reader.reset()
            with contextlib.suppress(Exception):
                async with asyncio.timeout(3.0):
                    await place.take(pool)
            assert len(place.reader.logins) >= 2


@pytest.fixture
def two_hosts(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, dict[str, Any]]:
    """A DSN with the name of the reader and then that of the writer, and its options."""
    resolve = socket.getaddrinfo
    hosts = {emulator.host for emulator in (place.reader, place.writer)}
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *rest, **named: resolve("127.0.0.1" if host in hosts else host, *rest, **named),
    )
    trust = tmp_path / "trust.pem"
    trust.write_bytes(place.reader.ca_file.read_bytes() + place.writer.ca_file.read_bytes())
    addresses = ",".join(f"{emulator.host}:{emulator.port}" for emulator in (place.reader, place.writer))
    options = {"sslrootcert": trust, "credentials": place.writer.account.credentials}
    return f"postgresql+{place.driver}://app@{addresses}/shop", options


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])  # aiomysql connects to one host
async def test_several_hosts_are_tried_without_a_pause(
    place: Place, two_hosts: tuple[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn, options = two_hosts
    monkeypatch.setattr(search, "PAUSE", 60)
    async with place.manager.connect(dsn, role="writer", **options) as connection:
        await place.execute(connection, INSERT)
        if place.driver == "psycopg":
            await connection.commit()
        await place.left(place.reader, 0)
    assert place.manager.statistics().wrong_servers == 1


class CannotAskReader:
    """A plugin that gets an error from the first host, so that the next host is tried."""

    def __init__(self, place: Place) -> None:
        self.place = place

    async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:
        connection = await call_next(request)
        if request.host == self.place.reader.host:
            raise {"asyncpg": OSError, "psycopg": psycopg.errors.QueryCanceled}[self.place.driver]
        return connection


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_a_host_that_could_not_be_asked_keeps_no_connection(
    place: Place, two_hosts: tuple[str, dict[str, Any]]
) -> None:
    dsn, options = two_hosts
    async with (
        PluginManager([CannotAskReader(place), "iam"]) as manager,
        manager.connect(dsn, **options) as connection,
    ):
        assert await place.execute(connection, "SELECT 1") == [(1,)]
        await place.left(place.reader, 0)


async def test_cancelling_a_search_leaves_nothing(place: Place) -> None:
    tasks = asyncio.all_tasks()
    connecting = asyncio.ensure_future(place.connect(of=place.reader, **place.limit(30)))
    await until(lambda: place.manager.statistics().wrong_servers)
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting
    await place.left(place.reader, 0)
    assert asyncio.all_tasks() == tasks
    assert place.manager.statistics().failures == 0


async def test_closing_the_manager_ends_a_search(place: Place) -> None:
    async with PluginManager("role,iam") as manager:
        other = Place(place.driver, place.endpoints, manager)
        connecting = asyncio.ensure_future(other.connect(of=place.reader, **place.limit(30)))
        await until(lambda: manager.statistics().wrong_servers)
    with pytest.raises(Exception, match="this PluginManager is closed"):
        await connecting
