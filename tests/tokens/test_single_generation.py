"""However many ask at once, a token is generated once; who goes away changes nothing for those who stay."""

import asyncio

import pytest

from aws_iam_async.errors import ConfigurationError, CredentialsError
from aws_iam_async.statistics import TokenCounters
from aws_iam_async.tokens.cache import TokenCache
from aws_iam_async.tokens.key import TokenKey
from tests.tokens.conftest import Clock, Generator, make_key, settle


async def test_three_hundred_callers_make_one_token(
    cache: TokenCache, key: TokenKey, generator: Generator, counters: TokenCounters
) -> None:
    answers = await asyncio.gather(*(cache.get(key) for _ in range(300)))
    assert generator.started == 1
    assert len({id(token) for token, _ in answers}) == 1
    assert all(fresh for _, fresh in answers)
    assert (counters.waits, counters.hits) == (300, 0)


async def test_the_next_caller_is_served_at_once(cache: TokenCache, key: TokenKey, counters: TokenCounters) -> None:
    token, _ = await cache.get(key)
    coming = cache.get(key)
    with pytest.raises(StopIteration) as served:
        coming.send(None)  # no await on the way
    assert served.value.value == (token, False)
    assert counters.hits == 1


async def test_every_part_of_the_key_has_its_own_token(cache: TokenCache, generator: Generator) -> None:
    keys = [make_key("a"), make_key("b"), make_key("a", expiration=600), make_key("a")._replace(port=5433)]
    tokens = {id((await cache.get(key))[0]) for key in keys}
    assert len(tokens) == generator.started == 4


@pytest.mark.parametrize("leaving", [0, 3, 9], ids=["the first", "one between", "the last"])
async def test_a_cancelled_waiter_changes_nothing_for_the_others(
    cache: TokenCache, key: TokenKey, generator: Generator, leaving: int
) -> None:
    generator.hold()
    waiters = [asyncio.create_task(cache.get(key)) for _ in range(10)]
    await settle()
    waiters[leaving].cancel()
    await settle()
    generator.release()
    answers = await asyncio.gather(*waiters, return_exceptions=True)
    assert isinstance(answers.pop(leaving), asyncio.CancelledError)
    assert len({id(answer[0]) for answer in answers if not isinstance(answer, BaseException)}) == 1
    assert len(answers) == 9
    assert generator.started == 1


async def test_a_timeout_changes_nothing_for_the_others(cache: TokenCache, key: TokenKey, generator: Generator) -> None:
    generator.hold()
    staying = asyncio.create_task(cache.get(key))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await cache.get(key)
    generator.release()
    await staying
    assert generator.started == 1


async def test_when_everyone_has_gone_the_generation_is_cancelled(
    cache: TokenCache, key: TokenKey, generator: Generator
) -> None:
    generator.hold()
    waiters = [asyncio.create_task(cache.get(key)) for _ in range(10)]
    await settle()
    for waiter in waiters:
        waiter.cancel()
    await asyncio.gather(*waiters, return_exceptions=True)
    await settle()
    assert generator.running[key] == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_key_is_not_poisoned_by_a_cancelled_generation(
    cache: TokenCache, key: TokenKey, generator: Generator
) -> None:
    generator.hold()
    gone = asyncio.create_task(cache.get(key))
    await settle()
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    # The cancelled generation still has to end: nothing of it may touch the next one, now or after its first steps.
    second = asyncio.create_task(cache.get(key))
    await settle()
    third = asyncio.create_task(cache.get(key))
    await settle()
    assert generator.started == 2
    generator.release()
    assert (await second)[0] is (await third)[0]
    assert generator.started == 2


async def test_cancelled_before_its_first_step(cache: TokenCache, key: TokenKey, generator: Generator) -> None:
    gone = asyncio.create_task(cache.get(key))
    await asyncio.sleep(0)  # it has asked; the generation has not begun
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    first, second = await asyncio.gather(cache.get(key), cache.get(key))
    assert first[0] is second[0]
    assert generator.started == 1


async def test_somebody_cancels_the_generation_itself(cache: TokenCache, key: TokenKey, generator: Generator) -> None:
    generator.hold()
    waiters = [asyncio.create_task(cache.get(key)) for _ in range(5)]
    await settle()
    (flight,) = asyncio.all_tasks() - {asyncio.current_task(), *waiters}
    flight.cancel()
    await settle()
    generator.release()
    answers = await asyncio.gather(*waiters)
    assert len({id(token) for token, _ in answers}) == 1
    assert generator.started == 2


async def test_each_waiter_has_an_error_of_its_own(cache: TokenCache, key: TokenKey, generator: Generator) -> None:
    cause = OSError("endpoint is down")
    generator.error = CredentialsError("no credentials")
    generator.error.__cause__ = cause
    generator.error.add_note("a note")
    errors = await asyncio.gather(*(cache.get(key) for _ in range(50)), return_exceptions=True)
    assert generator.started == 1
    assert len({id(error) for error in errors}) == 50
    for error in errors:
        assert isinstance(error, CredentialsError)
        assert str(error) == "no credentials"
        assert error.__cause__ is cause
        assert error.__notes__ == ["a note"]


async def test_a_failure_is_not_remembered(cache: TokenCache, key: TokenKey, generator: Generator) -> None:
    generator.error = ConfigurationError("wrong")
    with pytest.raises(ConfigurationError, match="wrong"):
        await cache.get(key)
    generator.error = None
    _, fresh = await cache.get(key)
    assert fresh


async def test_nothing_is_left_of_a_failure(cache: TokenCache, generator: Generator) -> None:
    generator.error = CredentialsError("no credentials")
    for user in range(100):
        with pytest.raises(CredentialsError):
            await cache.get(make_key(str(user)))
    assert cache.live() == len(cache._pending) == 0


async def test_no_task_is_left(cache: TokenCache, key: TokenKey) -> None:
    await asyncio.gather(*(cache.get(key) for _ in range(10)))
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_without_a_cache_each_call_makes_a_token(cache: TokenCache, generator: Generator) -> None:
    key = make_key(expiration=0)
    answers = await asyncio.gather(*(cache.get(key) for _ in range(5)))
    assert all(fresh for _, fresh in answers)
    assert generator.started == len({id(token) for token, _ in answers}) == 5
    assert cache.live() == 0


async def test_a_process_frozen_in_a_generation_takes_the_next_one(
    cache: TokenCache, key: TokenKey, generator: Generator, clock: Clock
) -> None:
    waiter = asyncio.create_task(cache.get(key))
    while generator.started == 0 or generator.running[key]:  # noqa: ASYNC110 - each step of the loop matters here
        await asyncio.sleep(0)
    clock.advance(3600)  # between the signing and the waiter's turn
    token, _ = await waiter
    assert generator.started == 2
    assert token.expires_at.timestamp() > clock()


async def test_so_does_one_whose_clock_is_set_back_in_it(
    cache: TokenCache, key: TokenKey, generator: Generator, clock: Clock
) -> None:
    waiter = asyncio.create_task(cache.get(key))
    while generator.started == 0 or generator.running[key]:  # noqa: ASYNC110 - each step of the loop matters here
        await asyncio.sleep(0)
    clock.advance(-3600)
    token, _ = await waiter
    assert generator.started == 2
    assert token.issued_at.timestamp() <= clock()
