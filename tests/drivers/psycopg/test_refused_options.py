"""What cannot work is refused by name, before any traffic."""

import asyncio
import subprocess
import sys
from typing import Any

import psycopg
import psycopg_pool
import pytest

from aws_iam_async import ConfigurationError, ConnectNext, ConnectRequest, Credentials, PluginManager
from aws_iam_async.tls import Tls
from aws_iam_async.tls.contexts import build
from tests.login.conftest import Rds

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a class that is not async": ({"connection_class": psycopg.Connection}, "subclass of psycopg.AsyncConnection"),
    "no class": ({"connection_class": "psycopg.AsyncConnection"}, "connection_class must be a subclass .*, not str"),
    "a pool's class": ({"connection_class": psycopg_pool.ConnectionPool}, "connection_class .*, not ConnectionPool"),
    "an SSLContext": ({"ssl": build(Tls("require")), "sslrootcert": None}, "libpq, which takes no SSLContext"),
    "hostaddr": ({"hostaddr": "127.0.0.1"}, "hostaddr: pass the address as host"),
    "conninfo": ({"conninfo": "host=x"}, "conninfo: pass its parts as options"),
    "service": ({"service": "x"}, "service: .* pass its parameters as options"),
    "TLS 1.1": ({"ssl_min_protocol_version": "TLSv1.1"}, "must be 'TLSv1.2' or 'TLSv1.3'"),
    "TLS 1, in libpq's other spelling": ({"ssl_min_protocol_version": "tlsv1"}, "must be 'TLSv1.2' or 'TLSv1.3'"),
    "any TLS": ({"ssl_min_protocol_version": ""}, "must be 'TLSv1.2' or 'TLSv1.3'"),
    "a hash": ({"require_auth": "scram-sha-256"}, "require_auth must be 'password'"),
    "any method": ({"require_auth": ""}, "require_auth must be 'password'"),
    "Kerberos": ({"gssencmode": "prefer"}, "gssencmode must be 'disable'"),
    "settings, as for asyncpg": ({"server_settings": {"jit": "off"}}, 'server_settings: .* options="-c name=value"'),
    "a setting": ({"search_path": "shop"}, 'if it is a setting of the server, pass options="-c search_path=..."'),
    "a mode that may be plaintext": ({"sslmode": "prefer", "sslrootcert": None}, "or pass 'verify-ca' or 'require'$"),
    "a time limit of asyncpg": ({"command_timeout": 3}, "unknown option 'command_timeout'"),
    "an option of aiomysql": ({"init_command": "SET x"}, "unknown option 'init_command'"),
    "a database, as for aiomysql": ({"db": "shop", "database": None}, r"did you mean database\?"),
    "rows, as for asyncpg": ({"record_class": dict}, r"did you mean row_factory\?"),
    "a misspelled option": ({"row_factry": 1}, "did you mean row_factory"),
    "no time at all": ({"connect_timeout": 0}, "pass None for no limit"),
    "a time that is none": ({"connect_timeout": "soon"}, "connect_timeout must be a number of seconds"),
    "an option with NUL": ({"application_name": "shop\0"}, "application_name must be valid Unicode without NUL"),
    "half a character": ({"application_name": "shop\ud800"}, "application_name must be valid Unicode without NUL"),
    "a database twice": ({"dbname": "shop", "database": "shop"}, "dbname"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_connections(manager: PluginManager, rds: Rds, name: str) -> None:
    options, message = WRONG[name]
    with pytest.raises(ConfigurationError, match=message):
        await manager.connect(rds.dsn, **{**rds.options, **options})
    with pytest.raises(ConfigurationError, match=message):
        await manager.create_pool(rds.dsn, **{**rds.options, "min_size": 1, **options})
    assert rds.emulator.connections == 0
    assert rds.emulator.logins == []


@pytest.mark.parametrize("way", ["connect", "create_pool"])
@pytest.mark.parametrize("options", [{"require_auth": "none"}, {"gssencmode": "require"}])
async def test_credentials_are_not_read_for_what_contradicts_a_token(
    manager: PluginManager, rds: Rds, way: str, options: dict[str, Any]
) -> None:
    read: list[None] = []

    async def credentials() -> Credentials:
        read.append(None)
        return Credentials("AKIAEXAMPLE", "example")

    with pytest.raises(ConfigurationError, match="to send a token; omit it"):
        await getattr(manager, way)(rds.dsn, **{**rds.options, **options, "credentials": credentials})
    assert read == []


async def test_without_a_token_they_are_the_callers_choice(rds: Rds) -> None:
    options = {**rds.options, "require_auth": "none", "gssencmode": "prefer", "ssl_min_protocol_version": "TLSv1"}
    del options["iam_host"]
    with pytest.raises(psycopg.OperationalError):
        await PluginManager("").connect(rds.dsn, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kwargs": {}}, "kwargs: pass what it contains"),
        ({"minsize": 1}, "did you mean min_size"),
        ({"init": print}, "did you mean configure"),
        ({"max_inactive_connection_lifetime": 60}, "did you mean max_idle"),
        ({"pool_recycle": 60}, "did you mean max_connection_lifetime"),
        ({"pool_size": 1}, "max_size"),
        ({"max_size": "5"}, "max_size must be a whole number, not str"),
    ],
)
async def test_pools(manager: PluginManager, rds: Rds, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        await manager.create_pool(rds.dsn, **rds.options, **options)
    assert rds.emulator.connections == 0


async def test_the_time_limit_of_another_driver(manager: PluginManager, rds: Rds) -> None:
    with pytest.raises(ConfigurationError, match=r"timeout is an option of a pool: .* did you mean connect_timeout\?"):
        await manager.connect(rds.dsn, **rds.options, timeout=3)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("search_path=shop", 'if it is a setting of the server, pass options="-c search_path=..."'),
        ("hostaddr=127.0.0.1", "hostaddr: pass the address as host"),
        ("service=x", "service: "),
        ("servicefile=x", "servicefile: |unknown option 'servicefile'"),  # libpq 18 knows it
        ("row_factory=x", "row_factory cannot be set there"),
        ("require_auth=none", "require_auth must be 'password'"),
        ("gssencmode=require", "gssencmode must be 'disable'"),
        ("ssl_min_protocol_version=TLSv1", "must be 'TLSv1.2' or 'TLSv1.3'"),
        ("connect_timeout=soon", "connect_timeout must be a number of seconds"),
        ("sslmode=disable&sslrootcert=", "sslrootcert|sslmode"),
    ],
)
async def test_queries(manager: PluginManager, rds: Rds, query: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        await manager.connect(f"{rds.dsn}?{query}", iam_host=rds.emulator.host)
    assert rds.emulator.connections == 0


@pytest.mark.parametrize("driver", ["psycopg2", psycopg_pool])
async def test_another_driver(manager: PluginManager, driver: Any) -> None:
    with pytest.raises(
        ConfigurationError,
        match=r"unknown driver 'psycopg(2|_pool)'; did you mean 'psycopg'\? Available: asyncpg, aiomysql",
    ):
        await manager.connect(driver=driver, host="db.example", user="app")


async def test_a_key_value_string(manager: PluginManager) -> None:
    with pytest.raises(ConfigurationError, match="dsn"):
        await manager.connect("host=db.example user=app sslmode=disable", driver="psycopg")


JOB = """if True:
    import asyncio, sys
    {before}
    import aws_iam_async
    async def credentials():
        print("the credentials were read")
        return aws_iam_async.Credentials("AKIAEXAMPLE", "example")
    options = dict(driver="psycopg", host="127.0.0.1", port=1, user="app", credentials=credentials,
        iam_host="x.c9akciq32.us-east-1.rds.amazonaws.com")
    try:
        asyncio.run(aws_iam_async.connect(**options))
    except aws_iam_async.ConfigurationError as error:
        print(type(error).__name__, error)
"""
OLD_LIBPQ = """
    import psycopg
    psycopg.pq.Conninfo.get_defaults = classmethod(lambda cls, real=psycopg.pq.Conninfo.get_defaults: [
        option for option in real() if option.keyword != b"require_auth"])
    psycopg.pq.version = lambda: 150004
"""


@pytest.mark.parametrize(
    ("before", "message"),
    [
        ("sys.modules['psycopg'] = None", "DriverNotFoundError driver 'psycopg' is not installed"),
        ("sys.modules['psycopg_pool'] = None", "no module named 'psycopg_pool'"),
        ("import os; os.environ['PSYCOPG_IMPL'] = 'c'", "DriverNotFoundError driver 'psycopg' cannot be imported"),
        (OLD_LIBPQ, "DriverNotFoundError driver 'psycopg' cannot be imported (it needs libpq 16 or newer, not 15)"),
    ],
    ids=["no psycopg", "no pool", "no wrapper of libpq", "libpq 15"],
)
def test_an_installation_that_is_not_complete(before: str, message: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", JOB.format(before=before)], capture_output=True, text=True, check=True, timeout=60
    )
    assert message in ran.stdout
    assert "pip install 'aws-iam-async[psycopg]'" in ran.stdout
    assert "were read" not in ran.stdout


@pytest.mark.parametrize("by_plugin", [False, True])
@pytest.mark.parametrize("password", ["battery-staple\0", "battery-staple\ud800"])
async def test_a_password_that_libpq_would_cut_off_is_not_sent(password: str, by_plugin: bool) -> None:
    """What follows it in libpq's string of parameters is ``sslmode``, which would be lost with it."""
    received = b""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal received
        for reply in (b"N", b"R\0\0\0\x08\0\0\0\x03", b""):  # no TLS, and then a demand for the password in clear
            received += await reader.read(1000)
            writer.write(reply)
        writer.close()

    class Login:
        async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:
            return await call_next(request.replace(password=password, tls=request.tls.secured()))

    given: dict[str, Any] = {} if by_plugin else {"password": password}
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ConfigurationError, match="password must be valid Unicode without NUL") as info:
            await PluginManager([Login()] if by_plugin else "").connect(
                driver="psycopg", host="127.0.0.1", port=port, user="app", sslmode="verify-full", **given
            )
    assert b"battery-staple" not in received
    assert "battery-staple" not in str(info.value)
