"""The example of a retrying plugin: bounded, with backoff and jitter, and only for what passes."""

import errno
import socket
import ssl
from typing import Any

import aiomysql
import asyncpg
import pytest

import aws_iam_async
from aws_iam_async import ConfigurationError, ConnectRequest
from aws_iam_async.testing import Emulator, Reason, Stage
from examples.retry_plugin import RetryPlugin, is_transient
from tests.examples.conftest import Run, credentials, dsn


@pytest.fixture(params=["rds_postgres", "rds_mysql"])
def emulator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    found: Emulator = request.getfixturevalue(request.param)
    key = found.account.create_access_key()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key.secret_key)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    return found


class Waits:
    """Takes the place of sleep."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture
def waits() -> Waits:
    return Waits()


def plugin(waits: Waits, draw: float = 1.0) -> RetryPlugin:
    return RetryPlugin(sleep=waits, draw=lambda: draw)


async def test_a_cut_connection_is_tried_again(emulator: Emulator, waits: Waits) -> None:
    emulator.faults.cut(Stage.TLS_DONE, times=2)
    async with aws_iam_async.connect(dsn(emulator), plugins=[plugin(waits), "iam"]):
        pass
    assert waits.seconds == [0.1, 0.2]
    assert [login.accepted for login in emulator.logins] == [True]


async def test_attempts_are_bounded(emulator: Emulator, waits: Waits) -> None:
    emulator.faults.cut(Stage.TLS_DONE, times=100)
    with pytest.raises((OSError, aiomysql.OperationalError, asyncpg.PostgresError)):
        await aws_iam_async.connect(dsn(emulator, retry_attempts=4), plugins=[plugin(waits), "iam"])
    assert len(waits.seconds) == 3


async def test_a_refused_login_is_not_tried_again(emulator: Emulator, waits: Waits) -> None:
    emulator.faults.reject_next(1)
    with pytest.raises((asyncpg.InvalidAuthorizationSpecificationError, aiomysql.OperationalError)):
        await aws_iam_async.connect(dsn(emulator), plugins=[plugin(waits), "iam"])
    assert waits.seconds == []
    assert [login.reason for login in emulator.logins] == [Reason.REJECTED_ON_DEMAND]


async def test_every_connection_of_a_pool_is_tried_again(emulator: Emulator, waits: Waits) -> None:
    emulator.faults.cut(Stage.TLS_DONE, times=2)
    async with aws_iam_async.create_pool(dsn(emulator), plugins=[plugin(waits), "iam"]) as pool:
        connection = await pool.acquire()
        await pool.release(connection)
    assert len(waits.seconds) == 2


@pytest.mark.parametrize(("draw", "waited"), [(0.0, [0.5, 1.0, 2.0, 2.5, 2.5]), (1.0, [1.0, 2.0, 4.0, 5.0, 5.0])])
async def test_delays_double_up_to_a_limit_and_half_is_chance(draw: float, waited: list[float], waits: Waits) -> None:
    async def refused(_request: ConnectRequest) -> None:
        raise ConnectionRefusedError

    request = ConnectRequest(driver="asyncpg", options={"retry_attempts": 6, "retry_delay": 1})
    with pytest.raises(ConnectionRefusedError):
        await plugin(waits, draw).connect(request, refused)
    assert waits.seconds == waited


@pytest.mark.parametrize("options", [{"retry_attempts": 0}, {"retry_attempts": "many"}, {"retry_delay": -1}])
async def test_wrong_options_are_refused_before_a_pool_is_made(options: dict[str, Any], waits: Waits) -> None:
    with pytest.raises(ConfigurationError, match="retry_attempts"):
        await aws_iam_async.create_pool("mysql://app@127.0.0.1:1/shop", plugins=[plugin(waits)], minsize=0, **options)


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (ConnectionRefusedError(), True),
        (OSError("Multiple exceptions: [Errno 111] ..., [Errno 111] ..."), True),
        (OSError(errno.EHOSTUNREACH, "no route"), True),
        (socket.gaierror(socket.EAI_AGAIN, "try again"), True),
        (socket.gaierror(socket.EAI_NONAME, "no such name"), False),
        (ssl.SSLCertVerificationError(), False),
        (asyncpg.CannotConnectNowError(), True),
        (asyncpg.InvalidPasswordError(), False),
        (asyncpg.InvalidCatalogNameError(), False),
        (aiomysql.OperationalError(2013, "lost"), True),
        (aiomysql.OperationalError(1045, "access denied"), False),
        (aws_iam_async.CredentialsError("none"), False),
    ],
)
def test_what_is_transient(error: BaseException, transient: bool) -> None:
    assert is_transient(error) is transient


@pytest.mark.parametrize(("cause", "transient"), [(TimeoutError(), True), (ssl.SSLCertVerificationError(), False)])
def test_aiomysql_says_cannot_connect_for_many_reasons(cause: Exception, transient: bool) -> None:
    error = aiomysql.OperationalError(2003, "Can't connect")
    error.__cause__ = cause
    assert is_transient(error) is transient


async def test_the_example_runs(emulator: Emulator, run: Run) -> None:
    emulator.faults.cut(Stage.ACCEPTED, times=1)
    ran = await run("retry_plugin.py", dsn(emulator), environment=credentials(emulator))
    assert (ran.status, ran.out, ran.err) == (0, "connected\n", "")
