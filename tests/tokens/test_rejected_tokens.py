"""A token that a server rejected is dropped once, however many report it, and nothing tainted takes its place."""

import asyncio

from aws_iam_async.tokens.service import TokenService
from aws_iam_async.tokens.token import TokenKey
from tests.tokens.conftest import Clock, Vault, settle
from tests.tokens.keys import make_key


async def test_five_hundred_rejections_make_one_new_token(service: TokenService, key: TokenKey, vault: Vault) -> None:
    old, _ = await service.get(key)

    async def rejected() -> tuple[object, bool]:
        service.reject(key, old)
        return await service.get(key)

    answers = await asyncio.gather(*(rejected() for _ in range(500)))
    assert len({id(token) for token, _ in answers}) == 1
    assert all(fresh for _, fresh in answers)
    assert answers[0][0] is not old
    statistics = service.statistics()
    assert (statistics.generations, statistics.rejections, vault.reads) == (2, 1, 2)


async def test_a_late_rejection_of_an_old_token_does_not_hit_the_new_one(service: TokenService, key: TokenKey) -> None:
    old, _ = await service.get(key)
    service.reject(key, old)
    new, _ = await service.get(key)
    service.reject(key, old)
    assert await service.get(key) == (new, False)
    assert service.statistics().generations == 2


async def test_a_read_under_way_at_the_rejection_is_not_trusted(
    service: TokenService, key: TokenKey, vault: Vault, clock: Clock
) -> None:
    vault.life = 3600
    await service.get(key)
    clock.advance(3000)
    vault.hold()
    old, _ = await service.get(key)  # this also starts the renewal of its credentials
    await settle()
    assert vault.reads == 2
    service.reject(key, old)
    waiters = [asyncio.create_task(service.get(key)) for _ in range(20)]
    await settle()
    assert vault.reads == 2  # never two at once
    vault.release()
    answers = await asyncio.gather(*waiters)
    assert {(id(token), token.access_key_id) for token, _ in answers} == {(id(answers[0][0]), "AKIA3")}
    assert (vault.reads, vault.most_at_once) == (3, 1)
    assert await service.get(key) == (answers[0][0], False)


async def test_rejecting_one_key_leaves_the_others(service: TokenService, vault: Vault) -> None:
    mine, theirs = make_key("a", load=vault.load), make_key("b", load=vault.load)
    rejected, _ = await service.get(mine)
    kept, _ = await service.get(theirs)
    service.reject(mine, rejected)
    assert await service.get(theirs) == (kept, False)
    assert service.statistics().generations == 2


async def test_the_next_token_is_signed_with_credentials_read_anew(service: TokenService, vault: Vault) -> None:
    mine, theirs = make_key("a", load=vault.load), make_key("b", load=vault.load)
    rejected, _ = await service.get(mine)
    await service.get(theirs)
    for _ in range(500):
        service.reject(mine, rejected)
    token, fresh = await service.get(mine)
    assert (token.access_key_id, fresh, vault.reads) == ("AKIA2", True, 2)
    # Another endpoint uses the same credentials, which were read again a moment ago.
    other, _ = await service.get(theirs)
    service.reject(theirs, other)
    token, fresh = await service.get(theirs)
    assert (token.access_key_id, fresh, vault.reads) == ("AKIA2", False, 2)
