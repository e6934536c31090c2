"""Concurrent callers share one read of the credentials and one signature. Cancelling one does not affect the others."""

import asyncio
import gc
import threading
import weakref

import pytest

from aws_iam_async import Credentials, CredentialsError, RdsTokenProvider
from aws_iam_async.tokens.service import TokenService
from aws_iam_async.tokens.token import TokenKey
from tests.tokens.conftest import Clock, Vault, settle
from tests.tokens.keys import make_key

HOST = "shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com"
EAGER = getattr(asyncio, "eager_task_factory", None)


async def test_three_hundred_callers_make_one_token(service: TokenService, key: TokenKey, vault: Vault) -> None:
    answers = await asyncio.gather(*(service.get(key) for _ in range(300)))
    assert len({id(token) for token, _ in answers}) == 1
    assert all(fresh for _, fresh in answers)
    statistics = service.statistics()
    assert (vault.reads, statistics.generations) == (1, 1)
    assert (statistics.waits, statistics.hits) == (300, 0)


async def test_the_next_caller_is_served_at_once(service: TokenService, key: TokenKey) -> None:
    token, _ = await service.get(key)
    coming = service.get(key)
    with pytest.raises(StopIteration) as served:
        coming.send(None)  # no await on the way
    assert served.value.value == (token, False)
    assert service.statistics().hits == 1


async def test_every_part_of_the_key_has_its_own_token(service: TokenService, vault: Vault) -> None:
    keys = [make_key(user, load=vault.load) for user in "ab"]
    keys += [make_key("a", expiration=600, load=vault.load), make_key("a", port=5433, load=vault.load)]
    tokens = {id((await service.get(key))[0]) for key in keys}
    assert len(tokens) == service.statistics().generations == 4
    assert vault.reads == 1


@pytest.mark.parametrize("leaving", [0, 3, 9], ids=["the first", "one between", "the last"])
async def test_a_cancelled_waiter_changes_nothing_for_the_others(
    service: TokenService, key: TokenKey, vault: Vault, leaving: int
) -> None:
    vault.hold()
    waiters = [asyncio.create_task(service.get(key)) for _ in range(10)]
    await settle()
    waiters[leaving].cancel()
    await settle()
    vault.release()
    answers = await asyncio.gather(*waiters, return_exceptions=True)
    assert isinstance(answers.pop(leaving), asyncio.CancelledError)
    assert len({id(answer[0]) for answer in answers if not isinstance(answer, BaseException)}) == 1
    assert len(answers) == 9
    assert (vault.reads, service.statistics().generations) == (1, 1)


async def test_a_timeout_changes_nothing_for_the_others(service: TokenService, key: TokenKey, vault: Vault) -> None:
    vault.hold()
    staying = asyncio.create_task(service.get(key))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await service.get(key)
    vault.release()
    await staying
    assert vault.reads == 1


async def test_when_everyone_has_gone_the_read_is_cancelled(service: TokenService, key: TokenKey, vault: Vault) -> None:
    vault.hold()
    waiters = [asyncio.create_task(service.get(key)) for _ in range(10)]
    await settle()
    for waiter in waiters:
        waiter.cancel()
    await asyncio.gather(*waiters, return_exceptions=True)
    await settle()
    assert vault.running == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_key_is_not_poisoned_by_a_cancelled_read(service: TokenService, key: TokenKey, vault: Vault) -> None:
    vault.hold()
    gone = asyncio.create_task(service.get(key))
    await settle()
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    # The cancelled read still has to end: nothing of it may touch the next one, now or after its first steps.
    second = asyncio.create_task(service.get(key))
    await settle()
    third = asyncio.create_task(service.get(key))
    await settle()
    assert vault.reads == 2
    vault.release()
    assert (await second)[0] is (await third)[0]
    assert (vault.reads, vault.most_at_once) == (2, 1)


async def test_cancelled_before_its_first_step(service: TokenService, key: TokenKey, vault: Vault) -> None:
    gone = asyncio.create_task(service.get(key))
    await asyncio.sleep(0)  # it has asked; the read has not begun
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    first, second = await asyncio.gather(service.get(key), service.get(key))
    assert first[0] is second[0]
    assert vault.reads == 1


async def test_who_waits_is_not_cancelled_with_a_read_that_others_cancel(
    service: TokenService, key: TokenKey, vault: Vault
) -> None:
    vault.hold()
    waiters = [asyncio.create_task(service.get(key)) for _ in range(5)]
    await settle()
    for task in asyncio.all_tasks() - {asyncio.current_task(), *waiters}:
        task.cancel()
    await settle()
    vault.release()
    answers = await asyncio.gather(*waiters)
    assert len({id(token) for token, _ in answers}) == 1
    assert vault.reads == 2


async def test_each_waiter_has_an_error_of_its_own(service: TokenService, key: TokenKey, vault: Vault) -> None:
    cause = OSError("endpoint is down")
    vault.error = CredentialsError("no credentials")
    vault.error.__cause__ = cause
    vault.error.add_note("a note")
    errors = await asyncio.gather(*(service.get(key) for _ in range(50)), return_exceptions=True)
    assert vault.reads == 1
    assert len({id(error) for error in errors}) == 50
    for error in errors:
        assert isinstance(error, CredentialsError)
        assert str(error) == "no credentials"
        assert error.__cause__ is cause
        assert error.__notes__ == ["a note"]


async def test_an_error_of_the_callers_own_kind_is_copied_whole() -> None:
    class VaultError(CredentialsError):
        def __init__(self, code: int, text: str) -> None:
            super().__init__(f"{text} ({code})")
            self.code = code

    async def load() -> Credentials:
        await asyncio.sleep(0)
        error = VaultError(503, "the vault is sealed")
        error.add_note("unseal it")
        raise error

    provider = RdsTokenProvider(credentials=load)
    first, second = await asyncio.gather(
        *(provider.get_token(host=HOST, port=5432, user="app") for _ in range(2)), return_exceptions=True
    )
    assert first is not second
    for error in (first, second):
        assert isinstance(error, VaultError)
        assert (str(error), error.code, error.__notes__) == ("the vault is sealed (503)", 503, ["unseal it"])
    first.add_note("added by the first alone")  # type: ignore[union-attr]  # seen to be an exception
    assert second.__notes__ == ["unseal it"]  # type: ignore[union-attr]  # seen to be an exception


async def test_a_failure_is_not_remembered(service: TokenService, key: TokenKey, vault: Vault) -> None:
    vault.error = CredentialsError("wrong")
    with pytest.raises(CredentialsError, match="wrong"):
        await service.get(key)
    vault.error = None
    _, fresh = await service.get(key)
    assert fresh


async def test_nothing_is_left_of_a_failure(service: TokenService, vault: Vault) -> None:
    vault.error = CredentialsError("no credentials")
    for user in range(100):
        with pytest.raises(CredentialsError):
            await service.get(make_key(str(user), load=vault.load))
    statistics = service.statistics()
    assert (statistics.live_tokens, statistics.generations) == (0, 0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("end", ["fails", "is cancelled"])
async def test_nothing_keeps_what_a_read_held(service: TokenService, end: str) -> None:
    class Held:
        pass

    held: list[weakref.ref[Held]] = []

    async def load() -> Credentials:
        mine = Held()
        held.append(weakref.ref(mine))
        await asyncio.sleep(0)
        if end == "fails":
            raise CredentialsError("no")
        await asyncio.sleep(3600)
        return Credentials("AKIA", "x")

    waiting = asyncio.create_task(service.get(make_key(load=load)))
    await settle()
    if end == "is cancelled":
        waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled() or isinstance(waiting.exception(), CredentialsError)
    del waiting
    await settle()
    gc.collect()
    assert [reference() for reference in held] == [None]


@pytest.mark.skipif(EAGER is None, reason="eager tasks came with CPython 3.12")
async def test_eager_tasks(service: TokenService, key: TokenKey) -> None:
    asyncio.get_running_loop().set_task_factory(EAGER)
    joined: list[asyncio.Task[object]] = []

    async def load() -> Credentials:
        if not joined:
            joined.append(asyncio.create_task(service.get(key)))  # before the first wait
        return Credentials("AKIA", "x")

    key = make_key(load=load)
    token, _ = await asyncio.create_task(service.get(key))
    assert await joined[0] == (token, True)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_no_task_is_left(service: TokenService, key: TokenKey) -> None:
    await asyncio.gather(*(service.get(key) for _ in range(10)))
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_without_a_cache_each_call_makes_a_token(service: TokenService, vault: Vault) -> None:
    key = make_key(expiration=0, load=vault.load)
    answers = await asyncio.gather(*(service.get(key) for _ in range(5)))
    assert all(fresh for _, fresh in answers)
    statistics = service.statistics()
    assert len({id(token) for token, _ in answers}) == statistics.generations == 5
    assert (statistics.live_tokens, vault.reads) == (0, 1)


@pytest.mark.parametrize("seconds", [3600, -3600], ids=["frozen for an hour", "set back by an hour"])
@pytest.mark.parametrize("rounds", range(8))
async def test_a_clock_that_jumps_between_the_read_and_the_waiters_turn(
    service: TokenService, key: TokenKey, vault: Vault, clock: Clock, seconds: float, rounds: int
) -> None:
    waiters = [asyncio.create_task(service.get(key)) for _ in range(2)]
    while vault.reads == 0 or vault.running:  # noqa: ASYNC110 - each step of the loop matters here
        await asyncio.sleep(0)
    for _ in range(rounds):
        await asyncio.sleep(0)
    late = [waiter for waiter in waiters if not waiter.done()]
    clock.advance(seconds)
    for waiter in late:
        token, _ = await waiter
        assert token.issued_at.timestamp() <= clock() < token.expires_at.timestamp()


@pytest.mark.timeout(30)
async def test_a_caller_who_comes_when_all_tasks_are_cancelled_reads_anew(
    service: TokenService, key: TokenKey, vault: Vault
) -> None:
    """As a supervisor does that cancels everything and starts again."""
    vault.hold()
    waiter = asyncio.create_task(service.get(key))
    await settle()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()  # the shared read too
    next_one = asyncio.create_task(service.get(key))
    vault.release()
    await next_one
    with pytest.raises(asyncio.CancelledError):
        await waiter
    assert vault.reads == 2


async def test_without_a_thread_each_caller_gets_an_error_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    service = TokenService()
    failed = await asyncio.gather(*(service.get(make_key()) for _ in range(2)), return_exceptions=True)
    first, second = failed
    assert isinstance(first, CredentialsError)
    assert isinstance(second, CredentialsError)
    assert first is not second
    assert "the default credentials chain could not be read: RuntimeError" in str(first)
    assert "new thread" in str(first.__cause__)
