"""A late token gives way to a new one, and late credentials are renewed in the background; none is used expired."""

import asyncio
import logging
from datetime import UTC, datetime

import pytest

from aws_iam_async import CredentialsError
from aws_iam_async.tokens.service import TokenService
from aws_iam_async.tokens.token import TokenKey
from tests.tokens.conftest import START, Clock, Vault, settle
from tests.tokens.keys import make_key

HOUR = 3600.0
LATE = 600.0  # seconds into a token's life of 870
OVER = 880.0
DUE = HOUR - 690  # seconds into the life of credentials, after which they are read again


@pytest.fixture
async def vault(vault: Vault) -> Vault:
    vault.life = HOUR
    return vault


async def test_a_late_token_gives_way_to_one_new_one_without_a_wait(
    service: TokenService, key: TokenKey, clock: Clock
) -> None:
    old, _ = await service.get(key)
    clock.advance(LATE)
    answers = await asyncio.gather(*(service.get(key) for _ in range(50)))
    assert {id(token) for token, _ in answers[1:]} == {id((await service.get(key))[0])}
    assert answers[-1][0] is not old
    assert not any(fresh for _, fresh in answers)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    statistics = service.statistics()
    assert (statistics.generations, statistics.waits, statistics.credentials_loads) == (2, 1, 1)


async def test_an_expired_token_is_never_served(service: TokenService, key: TokenKey, clock: Clock) -> None:
    old, _ = await service.get(key)
    clock.advance(OVER)
    new, _ = await service.get(key)
    assert new is not old
    assert service.statistics().generations == 2


async def test_a_clock_set_back_serves_no_token_from_the_future(
    service: TokenService, key: TokenKey, clock: Clock
) -> None:
    old, _ = await service.get(key)
    clock.advance(-HOUR)
    new, _ = await service.get(key)
    assert new is not old
    assert new.issued_at.timestamp() <= clock()


async def test_late_credentials_are_signed_with_and_renewed_once(
    service: TokenService, key: TokenKey, vault: Vault, clock: Clock
) -> None:
    await service.get(key)
    clock.advance(DUE)
    vault.hold()
    answers = await asyncio.gather(*(service.get(make_key(str(n % 5), load=vault.load)) for n in range(50)))
    assert {token.access_key_id for token, _ in answers} == {"AKIA1"}
    assert not any(fresh for _, fresh in answers)
    await settle()
    vault.release()
    await settle()
    token, fresh = await service.get(make_key("new", load=vault.load))
    assert (token.access_key_id, fresh) == ("AKIA2", False)
    assert (vault.reads, service.statistics().waits) == (2, 1)


async def test_one_who_comes_after_their_expiry_joins_the_renewal_under_way(
    service: TokenService, key: TokenKey, vault: Vault, clock: Clock
) -> None:
    await service.get(key)
    clock.advance(DUE)
    vault.hold()
    await service.get(key)
    await settle()
    clock.advance(HOUR - DUE)
    waiter = asyncio.create_task(service.get(key))
    await settle()
    vault.release()
    token, fresh = await waiter
    assert (token.access_key_id, fresh) == ("AKIA2", True)
    assert (vault.reads, vault.most_at_once) == (2, 1)


async def test_a_failed_renewal_is_retried_after_a_while_and_the_old_credentials_used_to_their_end(
    service: TokenService, key: TokenKey, vault: Vault, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    await service.get(key)
    clock.advance(DUE)
    vault.error = CredentialsError("endpoint is down")
    with caplog.at_level(logging.WARNING):
        for _ in range(10):
            assert (await service.get(key))[0].access_key_id == "AKIA1"
            await settle()
    assert vault.reads == 2  # not one a call
    assert caplog.text.count("endpoint is down") == 1
    assert "MARK" not in caplog.text
    while clock() < START + HOUR - 10:
        clock.advance(2)
        token, _ = await service.get(key)
        assert token.access_key_id == "AKIA1"
        assert token.expires_at <= datetime.fromtimestamp(START + HOUR, UTC)
        await settle()
    assert 3 <= vault.reads <= 8
    statistics = service.statistics()
    assert (statistics.waits, statistics.credentials_failures) == (1, vault.reads - 1)
    vault.error = None
    clock.advance(8)
    await service.get(key)
    await settle()
    assert (await service.get(key))[0].access_key_id == f"AKIA{vault.reads}"


async def test_credentials_in_their_last_seconds_are_not_signed_with_if_new_ones_can_be_had(
    service: TokenService, key: TokenKey, vault: Vault, clock: Clock
) -> None:
    await service.get(key)
    clock.advance(HOUR - 4)
    vault.hold()
    waiters = [asyncio.create_task(service.get(key)) for _ in range(3)]
    await settle()
    vault.release()
    assert {(token.access_key_id, fresh) for token, fresh in await asyncio.gather(*waiters)} == {("AKIA2", True)}
    assert vault.reads == 2


async def test_credentials_in_their_last_seconds_are_signed_with_while_their_source_fails(
    service: TokenService, key: TokenKey, vault: Vault, clock: Clock
) -> None:
    await service.get(key)
    clock.advance(HOUR - 4)
    vault.error = CredentialsError("endpoint is down")
    for _ in range(2):
        assert (await service.get(key))[0].access_key_id == "AKIA1"
    assert vault.reads == 2  # the second caller does not wait for another read


async def test_after_their_expiry_the_failure_is_told(
    service: TokenService, key: TokenKey, vault: Vault, clock: Clock
) -> None:
    await service.get(key)
    clock.advance(HOUR)
    vault.error = CredentialsError("endpoint is down")
    with pytest.raises(CredentialsError, match="endpoint is down"):
        await service.get(key)


async def test_a_token_born_expired_serves_those_who_waited_and_nobody_else(
    service: TokenService, key: TokenKey, vault: Vault
) -> None:
    vault.life = 10
    answers = await asyncio.gather(*(service.get(key) for _ in range(10)))
    assert len({id(token) for token, _ in answers}) == 1
    assert all(fresh for _, fresh in answers)
    assert (await service.get(key))[0] is not answers[0][0]
    assert service.statistics().generations == 2


async def test_a_cancelled_renewal_does_not_stop_the_next(
    service: TokenService, key: TokenKey, vault: Vault, clock: Clock
) -> None:
    await service.get(key)
    clock.advance(DUE)
    vault.hold()
    await service.get(key)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()  # before its first step
    await settle()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    vault.release()
    await service.get(make_key("other", load=vault.load))
    await settle()
    assert (await service.get(make_key("new", load=vault.load)))[0].access_key_id == f"AKIA{vault.reads}" != "AKIA1"


async def test_nothing_runs_while_nobody_asks(service: TokenService, key: TokenKey, vault: Vault, clock: Clock) -> None:
    await service.get(key)
    clock.advance(DUE)
    await settle()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert vault.reads == 1
