import contextlib
import ssl
from collections.abc import Callable, Iterator

import aiomysql
import asyncpg
import pytest

from aws_iam_async.testing import Account, Emulator, Reason
from tests.emulator.conftest import Front, connect_postgres, sign


def _tampered(token: str) -> str:
    return token[:-1] + ("0" if token[-1] != "0" else "1")


REFUSED: dict[str, tuple[Reason, Callable[[Front], str]]] = {
    "a password": (Reason.MALFORMED, lambda _: "opensesame"),
    "a very long password": (Reason.MALFORMED, lambda _: "x" * 20_000),
    "a token with its scheme": (Reason.MALFORMED, lambda front: "https://" + front.token()),
    "another account's key": (
        Reason.UNKNOWN_ACCESS_KEY,
        lambda front: sign(Account().create_access_key(), front.emulator),
    ),
    "a changed signature": (Reason.BAD_SIGNATURE, lambda front: _tampered(front.token())),
    "another user": (Reason.WRONG_USER, lambda front: front.token(user="admin")),
    "another user, changed afterwards": (
        Reason.BAD_SIGNATURE,
        lambda front: front.token(user="ape").replace("DBUser=ape", "DBUser=app"),
    ),
    "another host": (
        Reason.WRONG_HOST,
        lambda front: front.token(host="shop.cluster-ro-c9akciq32.us-east-1.rds.amazonaws.com"),
    ),
    "the dialled address": (Reason.WRONG_HOST, lambda front: front.token(host=front.emulator.dial_host)),
    "another port": (Reason.WRONG_PORT, lambda front: front.token(port=5432)),
    "another region": (Reason.WRONG_REGION, lambda front: front.token(region="eu-west-1")),
    "another service": (Reason.WRONG_SERVICE, lambda front: front.token(service="rds")),
}


@pytest.mark.parametrize(("reason", "make"), REFUSED.values(), ids=REFUSED)
async def test_a_wrong_token_is_refused_for_its_true_reason_and_the_client_learns_none(
    front: Front, reason: Reason, make: Callable[[Front], str]
) -> None:
    with pytest.raises(front.refusal) as refusal:
        await front.connect(make(front))
    assert refusal.value.args[-1] == front.refusal_text.format("app")
    assert [login.reason for login in front.emulator.logins] == [reason]
    assert not front.emulator.logins[0].accepted


async def test_a_session_token_has_to_come_with_its_key(front: Front) -> None:
    account = front.emulator.account
    temporary, other = account.create_access_key(session=True), account.create_access_key(session=True)
    without = type(temporary)(temporary.access_key, temporary.secret_key, None)
    with_another = type(temporary)(temporary.access_key, temporary.secret_key, other.session_token)
    needless = type(temporary)(front.key.access_key, front.key.secret_key, other.session_token)
    for key in (without, with_another, needless):
        with pytest.raises(front.refusal):
            await front.connect(sign(key, front.emulator))
    assert [login.reason for login in front.emulator.logins] == [Reason.WRONG_SESSION_TOKEN] * 3


async def test_a_revoked_key_is_refused_until_it_is_restored(front: Front) -> None:
    token = front.token()
    front.emulator.account.revoke(front.key.access_key)
    with pytest.raises(front.refusal):
        await front.connect(token)
    front.emulator.account.restore(front.key.access_key)
    await (await front.connect(token)).close()
    assert [login.reason for login in front.emulator.logins] == [Reason.REVOKED_ACCESS_KEY, None]


@pytest.mark.parametrize(
    ("age", "reason"), [(-301, Reason.NOT_YET_VALID), (-300, None), (900, None), (901, Reason.EXPIRED)]
)
async def test_a_token_lives_fifteen_minutes_by_the_emulators_clock(
    front: Front, age: int, reason: Reason | None
) -> None:
    front.emulator.clock = lambda: 1_800_000_000.0
    await _attempt(front, front.token(at=1_800_000_000 - age))
    assert [login.reason for login in front.emulator.logins] == [reason]


async def _attempt(front: Front, token: str) -> None:
    with contextlib.suppress(front.refusal):
        await (await front.connect(token)).close()


@pytest.mark.parametrize(
    ("life", "age", "reason"), [(500, 500, None), (500, 501, Reason.EXPIRED), (3600, 901, Reason.EXPIRED)]
)
async def test_a_token_may_be_given_a_shorter_life_but_no_longer_one(
    front: Front, life: int, age: int, reason: Reason | None
) -> None:
    front.emulator.clock = lambda: 1_800_000_000.0
    await _attempt(front, front.token(at=1_800_000_000 - age, expires_in=life))
    assert [login.reason for login in front.emulator.logins] == [reason]


async def test_a_user_without_tls_is_refused_and_not_asked_for_a_password(
    rds_postgres: Emulator, rds_mysql: Emulator
) -> None:
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError, match=r'user "app", .*, no encryption'):
        await asyncpg.connect(rds_postgres.dsn("app", "shop"), password="a secret", ssl=False)
    with pytest.raises(aiomysql.OperationalError, match="Access denied for user 'app'"):
        await aiomysql.connect(host=rds_mysql.dial_host, port=rds_mysql.port, user="app", password="a secret")
    for emulator in (rds_postgres, rds_mysql):
        assert [login.reason for login in emulator.logins] == [Reason.PLAINTEXT]


async def test_a_user_that_does_not_exist_is_refused_as_rds_refuses_it(front: Front) -> None:
    # No token is requested: RDS takes such a user for one with a password.
    words = r'password authentication failed for user "ghost"|Access denied for user .ghost.@.127.0.0.1.'
    with pytest.raises(Exception, match=words):
        await front.connect(front.token(user="ghost"), user="ghost")
    assert [login.reason for login in front.emulator.logins] == [Reason.UNKNOWN_USER]


async def test_a_database_that_does_not_exist_gets_the_servers_own_answer(front: Front) -> None:
    with pytest.raises(Exception, match=r'database "nowhere" does not exist|Access denied .* to database .nowhere.'):
        await front.connect(database="nowhere")
    assert front.emulator.logins[0].accepted


@pytest.fixture
def tunnel(rds_postgres: Emulator) -> Iterator[Emulator]:
    with Emulator(rds_postgres.upstream, account=rds_postgres.account, signed_port=5432) as tunnel:
        yield tunnel


async def test_the_port_that_is_signed_for_may_be_another_than_the_one_dialled(tunnel: Emulator) -> None:
    key = tunnel.account.create_access_key()
    await (await connect_postgres(tunnel, sign(key, tunnel, port=5432))).close()
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await connect_postgres(tunnel, sign(key, tunnel))
    assert [login.reason for login in tunnel.logins] == [None, Reason.WRONG_PORT]


async def test_a_client_that_does_not_trust_the_authority_does_not_log_in(rds_postgres: Emulator) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        await asyncpg.connect(rds_postgres.dsn("app", "shop"), password="x", ssl=ssl.create_default_context())
    assert rds_postgres.logins == []
