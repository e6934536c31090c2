import asyncio
import math
import socket
import ssl

import pytest

from aws_iam_async.testing import CertificateKind, Emulator, Faults, Reason, Stage
from tests.emulator.conftest import BROKEN, Front


async def _attempt(front: Front, token: str) -> bool:
    try:
        await (await front.connect(token)).close()
    except front.refusal:
        return False
    return True


async def test_the_next_logins_are_rejected_on_demand(front: Front) -> None:
    front.emulator.faults.reject_next(2)
    token = front.token()
    assert [await _attempt(front, token) for _ in range(3)] == [False, False, True]
    reasons = [login.reason for login in front.emulator.logins]
    assert reasons == [Reason.REJECTED_ON_DEMAND, Reason.REJECTED_ON_DEMAND, None]


async def test_a_wrong_token_uses_up_no_rejection(front: Front) -> None:
    front.emulator.faults.reject_next()
    assert [await _attempt(front, token) for token in ("wrong", front.token())] == [False, False]
    reasons = [login.reason for login in front.emulator.logins]
    assert reasons == [Reason.MALFORMED, Reason.REJECTED_ON_DEMAND]


async def test_only_young_tokens_are_accepted_on_demand(front: Front) -> None:
    front.emulator.faults.max_token_age = 60
    front.emulator.clock = lambda: 1_800_000_061.0
    assert not await _attempt(front, front.token(at=1_800_000_000))
    assert await _attempt(front, front.token(at=1_800_000_001))
    assert [login.reason for login in front.emulator.logins] == [Reason.TOO_OLD, None]


async def test_new_tokens_are_throttled_and_known_ones_are_not(front: Front) -> None:
    front.emulator.faults.throttle = 2
    now = 1_800_000_000.0
    front.emulator.clock = lambda: now
    tokens = [front.token(at=now - age) for age in range(4)]
    assert [await _attempt(front, token) for token in tokens] == [True, True, False, False]
    assert await _attempt(front, tokens[0])
    now += 1
    assert await _attempt(front, tokens[2])
    assert [login.reason for login in front.emulator.logins][2:4] == [Reason.THROTTLED] * 2


async def test_a_user_who_is_not_set_up_for_iam_is_asked_for_a_password(front: Front) -> None:
    front.emulator.faults.password_users = {"app"}
    with pytest.raises(front.refusal, match=r"password authentication failed|Access denied"):
        await front.connect(front.token())
    assert [login.reason for login in front.emulator.logins] == [Reason.NOT_FOR_IAM]
    front.emulator.faults.reset()
    assert await _attempt(front, front.token())


@pytest.mark.parametrize("stage", Stage)
async def test_a_connection_is_cut_at_any_stage(front: Front, stage: Stage) -> None:
    front.emulator.faults.cut(stage)
    with pytest.raises(BROKEN):
        await (await front.connect()).query("SELECT 1")
    await asyncio.to_thread(front.emulator.wait_for_connections, 0)
    assert len(front.emulator.logins) == (stage is Stage.LOGGED_IN)
    session = await front.connect()
    assert await session.query("SELECT 1") == [(1,)]
    await session.close()


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.LOGGED_IN])
async def test_a_server_may_stop_answering_at_any_stage(front: Front, stage: Stage) -> None:
    front.emulator.faults.delay(stage, math.inf)
    connecting = asyncio.ensure_future(front.connect())
    await asyncio.to_thread(front.emulator.wait_for_connections, 1)
    done, _ = await asyncio.wait([connecting], timeout=0.2)
    assert not done
    # Not cancelled: aiomysql 0.3 then leaves a socket open.
    front.emulator.cut_connections()
    with pytest.raises(BROKEN):
        await connecting
    await asyncio.to_thread(front.emulator.wait_for_connections, 0)


async def test_a_delay_passes(front: Front) -> None:
    front.emulator.faults.delay(Stage.TOKEN_RECEIVED, 0.01)
    assert await _attempt(front, front.token())


def _tls(emulator: Emulator) -> ssl.SSLSocket:
    """Do nothing but the beginning of a PostgreSQL login, with full verification."""
    context = ssl.create_default_context(cafile=str(emulator.ca_file))
    raw = socket.create_connection((emulator.dial_host, emulator.port), timeout=10)
    try:
        raw.sendall(b"\0\0\0\x08\x04\xd2\x16\x2f")
        assert raw.recv(1) == b"S", "no TLS is offered"
        return context.wrap_socket(raw, server_hostname=emulator.host)
    except BaseException:
        raw.close()
        raise


def test_the_certificate_is_for_the_rds_name(rds_postgres: Emulator) -> None:
    with _tls(rds_postgres) as tls:
        assert tls.version() == "TLSv1.3"
        assert ("DNS", rds_postgres.host) in (tls.getpeercert() or {})["subjectAltName"]


@pytest.mark.parametrize(
    ("kind", "complaint"),
    [
        (CertificateKind.EXPIRED, "certificate has expired"),
        (CertificateKind.NOT_YET_VALID, "certificate is not yet valid"),
        (CertificateKind.OTHER_HOST, "Hostname mismatch"),
        (CertificateKind.UNTRUSTED, r"unable to get local issuer|self.signed|signature failure"),
    ],
)
def test_a_wrong_certificate_is_presented_on_demand(
    rds_postgres: Emulator, kind: CertificateKind, complaint: str
) -> None:
    rds_postgres.faults.certificate = kind
    with pytest.raises(ssl.SSLCertVerificationError, match=complaint):
        _tls(rds_postgres)


def test_no_tls_is_offered_on_demand(rds_postgres: Emulator) -> None:
    rds_postgres.faults.offer_tls = False
    with pytest.raises(AssertionError, match="no TLS is offered"):
        _tls(rds_postgres)


async def test_no_tls_is_offered_on_demand_and_nobody_logs_in(front: Front) -> None:
    front.emulator.faults.offer_tls = False
    with pytest.raises(Exception, match=r"TLS|SSL|Access denied|no encryption"):
        await front.connect("not a token")
    assert not any(login.accepted for login in front.emulator.logins)


async def test_reset_turns_every_fault_off_and_forgets_the_past(front: Front) -> None:
    emulator, faults = front.emulator, front.emulator.faults
    token = front.token()
    faults.reject_next()
    assert not await _attempt(front, token)
    faults.max_token_age, faults.throttle, faults.offer_tls = 0, 0, False
    faults.certificate = CertificateKind.EXPIRED
    faults.reject_next(10)
    faults.cut(Stage.ACCEPTED)
    faults.delay(Stage.ACCEPTED, math.inf)
    emulator.clock = lambda: 0.0
    emulator.reset()
    assert emulator.logins == []
    assert await _attempt(front, token)


def test_a_misspelt_fault_is_no_fault() -> None:
    faults = Faults()
    with pytest.raises(AttributeError, match="max_token_agee"):
        faults.max_token_agee = 60  # type: ignore[attr-defined]  # that is the point
    with pytest.raises(ValueError, match="'tls_done' is not a valid Stage"):
        faults.delay("tls_done", 1)  # type: ignore[arg-type]  # the same
    with pytest.raises(ValueError, match="'tls_done' is not a valid Stage"):
        faults.cut("tls_done")  # type: ignore[arg-type]  # the same
