"""A refused login causes another read of the credentials if its key signs the next token, or did so recently."""

from datetime import UTC, datetime, timedelta

from aws_iam_async import Credentials
from aws_iam_async.tokens.service import TokenService
from tests.tokens.conftest import START, Clock, settle
from tests.tokens.keys import make_key

HOUR = timedelta(hours=1)


async def test_a_refusal_counts_though_a_newer_token_is_at_hand(clock: Clock) -> None:
    given = ["AKIAOLD", "AKIANEW"]
    expires_at = datetime.fromtimestamp(START, UTC) + timedelta(seconds=20)

    async def credentials() -> Credentials:
        return Credentials(given.pop(0), "made-up", expires_at=expires_at)

    service = TokenService(clock=clock)
    key = make_key(load=credentials)
    first, _ = await service.get(key)
    second, _ = await service.get(key)
    assert first is not second
    service.reject(key, first)
    service.reject(key, first)
    third, _ = await service.get(key)
    assert [token.access_key_id for token in (first, second, third)] == ["AKIAOLD", "AKIAOLD", "AKIANEW"]
    clock.advance(11)
    service.reject(key, second)  # late: signed with what is gone already
    fourth, _ = await service.get(key)
    assert fourth.access_key_id == "AKIANEW"
    assert service.statistics().credentials_loads == 2
    await service.aclose()


async def test_credentials_that_were_renewed_meanwhile_are_read_anew_as_well(clock: Clock) -> None:
    """An administrator can only revoke all sessions of a role at once."""
    loads = 0

    async def credentials() -> Credentials:
        nonlocal loads
        loads += 1
        return Credentials(f"AKIA{loads}", "made-up", expires_at=datetime.fromtimestamp(clock(), UTC) + HOUR)

    service = TokenService(clock=clock)
    key = make_key(load=credentials)
    await service.get(key)
    clock.advance(2850)
    first, _ = await service.get(key)
    clock.advance(60)
    await service.get(make_key("another", load=credentials))  # has the credentials renewed
    await settle()
    service.reject(key, first)
    second, _ = await service.get(key)
    assert [token.access_key_id for token in (first, second)] == ["AKIA1", "AKIA3"]
    await service.aclose()
