"""An emulated endpoint of Aurora DSQL: its tokens, its words, and the server name it insists on. Raw drivers only."""

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from aws_iam_async.testing import Account, Emulator, PostgresServer, Reason, Upstream
from tests.emulator.conftest import presign

HOST = "foo0bar1baz2quux3quuux4abc.dsql.us-east-1.on.aws"
OTHER = "zzz0bar1baz2quux3quuux4abc.dsql.us-east-1.on.aws"
DENIED = "unable to accept connection, access denied"


@pytest.fixture(scope="module")
def dsql() -> Iterator[Emulator]:
    with PostgresServer() as server, Emulator(server, host=HOST) as emulator:
        server.create_user("admin")
        server.create_user("app")
        yield emulator


@pytest.fixture(autouse=True)
def _reset(dsql: Emulator) -> None:
    dsql.reset()


def token(dsql: Emulator, action: str = "DbConnect", **details: Any) -> str:
    key = dsql.account.create_access_key(session=True)
    wanted: dict[str, Any] = {
        "netloc": HOST,
        "parameters": {"Action": action},
        "service": "dsql",
        "region": "us-east-1",
    }
    return presign(key, **wanted | details)


async def connect(dsql: Emulator, password: str, *, user: str = "app", server_name: str | None = HOST) -> None:
    """Connect with libpq, which sends the name that it verifies as the server's name, or none."""
    names = {"host": server_name, "sslsni": "1"} if server_name else {"host": HOST, "sslsni": "0"}
    async with await psycopg.AsyncConnection.connect(
        **names,  # type: ignore[arg-type]  # parameters of libpq
        hostaddr=dsql.dial_host,
        port=dsql.port,
        user=user,
        password=password,
        dbname="postgres",
        sslmode="verify-full" if server_name == HOST else "require",
        sslrootcert=str(dsql.ca_file) if server_name == HOST else "",
        require_auth="password",
    ) as connection:
        cursor = await connection.execute("SELECT current_user")
        assert await cursor.fetchone() == (user,)


@pytest.mark.parametrize(("user", "action"), [("admin", "DbConnectAdmin"), ("app", "DbConnect")])
async def test_a_token_of_the_users_action_is_accepted(dsql: Emulator, user: str, action: str) -> None:
    await connect(dsql, token(dsql, action), user=user)
    assert [(login.user, login.reason) for login in dsql.logins] == [(user, None)]


@pytest.mark.parametrize(
    ("user", "details", "reason", "hint"),
    [
        ("admin", {}, Reason.WRONG_ACTION, "Wrong user to action mapping. user: admin, action: DbConnect"),
        (
            "app",
            {"action": "DbConnectAdmin"},
            Reason.WRONG_ACTION,
            "Wrong user to action mapping. user: app, action: DbConnectAdmin",
        ),
        ("app", {"region": "us-west-2"}, Reason.WRONG_REGION, None),
        ("app", {"netloc": OTHER}, Reason.WRONG_HOST, None),
        ("app", {"netloc": f"{HOST}:5432"}, Reason.MALFORMED, None),
        ("app", {"action": "DbDrop"}, Reason.MALFORMED, None),
        ("app", {"service": "rds-db"}, Reason.MALFORMED, None),
        (
            "app",
            {"service": "rds-db", "parameters": {"Action": "connect", "DBUser": "app"}, "netloc": f"{HOST}:5432"},
            Reason.WRONG_SERVICE,
            None,
        ),
        ("ghost", {}, Reason.UNKNOWN_USER, None),
    ],
)
async def test_a_wrong_token_is_refused_in_dsqls_words(
    dsql: Emulator, user: str, details: dict[str, Any], reason: Reason, hint: str | None
) -> None:
    with pytest.raises(psycopg.OperationalError, match=f"FATAL:  {DENIED}") as refused:
        await connect(dsql, token(dsql, **details), user=user)
    assert [login.reason for login in dsql.logins] == [reason]
    assert re.findall(r"HINT:  (.*)", str(refused.value)) == ([] if hint is None else [hint])


async def test_a_user_that_was_not_granted_is_refused(dsql: Emulator) -> None:
    dsql.faults.password_users = {"app"}
    with pytest.raises(psycopg.OperationalError, match=DENIED):
        await connect(dsql, token(dsql))
    assert [login.reason for login in dsql.logins] == [Reason.NOT_FOR_IAM]


@pytest.mark.parametrize(
    ("life", "age", "reason"),
    [(900, 900, None), (900, 901, Reason.EXPIRED), (604_800, 604_800, None), (999_999, 604_801, Reason.EXPIRED)],
)
async def test_a_token_may_live_a_week(dsql: Emulator, life: int, age: int, reason: Reason | None) -> None:
    dsql.clock = lambda: 1_800_000_000.0
    password = token(dsql, expires_in=life, at=1_800_000_000 - age)
    if reason is None:
        await connect(dsql, password)
    else:
        with pytest.raises(psycopg.OperationalError, match=f"{DENIED}\nHINT:  Signature expired: "):
            await connect(dsql, password)
    assert [login.reason for login in dsql.logins] == [reason]


@pytest.mark.parametrize(
    ("server_name", "words"), [(None, "sni was not received"), (OTHER, "invalid sni"), ("127.0.0.1", "sni was not")]
)
async def test_the_server_name_is_needed(dsql: Emulator, server_name: str | None, words: str) -> None:
    with pytest.raises(psycopg.OperationalError, match=f"FATAL:  unable to accept connection, {words}"):
        await connect(dsql, token(dsql), server_name=server_name)


def test_what_dsql_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="signed_port"):
        Emulator(Upstream("postgresql", "127.0.0.1", 5432), host=HOST, signed_port=5432)
    with pytest.raises(ValueError, match="mysql"):
        Emulator(Upstream("mysql", "127.0.0.1", 3306), host=HOST, account=Account())
