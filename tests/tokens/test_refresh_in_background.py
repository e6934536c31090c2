"""``refresh="background"`` keeps credentials fresh by timer, and leaves nothing behind."""

import asyncio
import gc
import warnings
from collections import Counter
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest

from aws_iam_async import ConfigurationError, Credentials, Token, TokenError
from aws_iam_async.refresh_ahead import MAX_KEYS
from aws_iam_async.tokens.service import TokenService
from aws_iam_async.tokens.token import TokenKey
from benchmarks.virtual_loop import VirtualLoop
from tests.tokens.conftest import START
from tests.tokens.keys import make_key


def wall_clock() -> float:
    return START + asyncio.get_running_loop().time()


async def load() -> Credentials:
    return Credentials("ASIA", "x", "y", datetime.fromtimestamp(wall_clock() + 3600, UTC))


def make(refresh: str = "background") -> tuple[TokenService, TokenKey]:
    service = TokenService(refresh=refresh, clock=wall_clock, random=lambda: 0.5)  # type: ignore[arg-type]  # tested
    key = make_key(load=load)
    return service, key


def at_once(service: TokenService, key: TokenKey) -> Token:
    """Get a token without a wait."""
    coming = service.get(key)
    with pytest.raises(StopIteration) as served:
        coming.send(None)  # no await on the way
    token: Token = served.value.value[0]
    return token


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())


def test_nobody_waits_though_tokens_are_rarely_asked_for() -> None:
    async def main() -> None:
        service, key = make()
        first, _ = await service.get(key)
        for _ in range(24):
            await asyncio.sleep(3599)
            token = at_once(service, key)
            assert token is not first
            assert token.refresh_at.timestamp() > wall_clock()
        statistics = service.statistics()
        assert statistics.waits == 1
        assert 24 < statistics.credentials_loads <= 24 * 3600 / 2900 + 1
        await service.aclose()

    run(main)


def test_credentials_that_nobody_asks_for_are_kept() -> None:
    async def main() -> None:
        service, key = make()
        await service.get(key)
        await asyncio.sleep(7 * 24 * 3600)
        assert at_once(service, key).expires_at.timestamp() > wall_clock()
        assert at_once(service, make_key("another", load=load)).expires_at.timestamp() > wall_clock()
        statistics = service.statistics()
        assert statistics.waits == 1
        assert statistics.next_credentials_expiry is not None
        assert statistics.next_credentials_expiry.timestamp() > wall_clock() + 600
        await service.aclose()

    run(main)


@pytest.mark.parametrize("life", [20, 60, 200])
def test_so_are_those_that_live_for_less_than_a_token(life: float) -> None:
    async def short() -> Credentials:
        return Credentials("ASIA", "x", "y", datetime.fromtimestamp(wall_clock() + life, UTC))

    async def main() -> None:
        service, _ = make()
        key = make_key(load=short)
        await service.get(key)
        await asyncio.sleep(1000)
        at_once(service, key)
        statistics = service.statistics()
        assert statistics.waits == 1
        assert 1000 / life < statistics.credentials_loads < 2000 / life
        await service.aclose()

    run(main)


def test_so_are_those_of_each_who_ever_asked() -> None:
    reads: Counter[str] = Counter()

    def loader(name: str, life: float) -> Callable[[], Coroutine[Any, Any, Credentials]]:
        async def named() -> Credentials:
            reads[name] += 1
            return Credentials(f"ASIA{name}", "x", "y", datetime.fromtimestamp(wall_clock() + life, UTC))

        return named

    async def main() -> None:
        service, _ = make()
        keys = [
            make_key(load=loader(name, life)) for name, life in (("LONG", 36_000), ("SHORT", 600), ("MEDIUM", 3600))
        ]
        for one in keys:
            await service.get(one)
        await asyncio.sleep(24 * 3600)
        for one in keys:
            at_once(service, one)
        assert service.statistics().waits == 3
        assert 2 <= reads["LONG"] < reads["MEDIUM"] < reads["SHORT"] <= 24 * 3600 / 450
        await service.aclose()

    run(main)


def test_a_failing_source_is_tried_again_until_it_works() -> None:
    failing = True

    async def unsteady() -> Credentials:
        if wall_clock() > START + 300 and failing:
            raise OSError("endpoint is down")
        return Credentials("ASIA", "x", "y", datetime.fromtimestamp(wall_clock() + 1200, UTC))

    async def main() -> None:
        nonlocal failing
        service, _ = make()
        key = make_key(load=unsteady)
        await service.get(key)
        await asyncio.sleep(1150)
        failing = False
        await asyncio.sleep(40)
        _, fresh = await service.get(key)
        assert not fresh
        assert service.statistics().waits == 1
        assert service.statistics().credentials_failures == 2  # with 4 minutes and with 1 1/2 left; not with 1/2
        await service.aclose()

    run(main)


def test_closing_stops_everything() -> None:
    async def main() -> None:
        service, key = make()
        await service.get(key)
        await service.aclose()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        await asyncio.sleep(24 * 3600)
        statistics = service.statistics()
        assert (statistics.generations, statistics.credentials_loads) == (1, 1)
        with pytest.raises(TokenError, match="closed"):
            await service.get(key)

    run(main)


def test_closing_cancels_what_is_being_refreshed() -> None:
    held = asyncio.Event()
    cancelled: list[str] = []

    async def slow() -> Credentials:
        if wall_clock() > START:
            try:
                await held.wait()
            except asyncio.CancelledError:
                cancelled.append("credentials")
                raise
        return Credentials("ASIA", "x", "y", datetime.fromtimestamp(wall_clock() + 600, UTC))

    async def main() -> None:
        service, _ = make()
        await service.get(make_key(load=slow))
        await asyncio.sleep(500)  # they are read again at 480, and given up at 540
        assert len(asyncio.all_tasks()) > 1
        await service.aclose()
        await asyncio.sleep(0)
        assert cancelled == ["credentials"]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main)


def test_one_who_waits_while_it_is_closed_still_gets_a_token() -> None:
    async def main() -> None:
        service, key = make()
        waiter = asyncio.create_task(service.get(key))
        await asyncio.sleep(0)
        await service.aclose()
        _, fresh = await waiter
        assert fresh
        await asyncio.sleep(24 * 3600)
        statistics = service.statistics()
        assert (statistics.generations, statistics.credentials_loads) == (1, 1)

    run(main)


def test_one_who_waits_for_a_slow_source_meanwhile_does_too() -> None:
    async def main() -> None:
        asked, answered = asyncio.Event(), asyncio.Event()

        async def slow() -> Credentials:
            asked.set()
            await answered.wait()
            return await load()

        service, _ = make()
        waiting = asyncio.create_task(service.get(make_key(load=slow)))
        await asked.wait()
        await asyncio.create_task(service.aclose())
        answered.set()
        token, _ = await waiting
        assert token.expires_at.timestamp() > wall_clock()
        await asyncio.sleep(24 * 3600)
        assert service.statistics().credentials_loads == 1
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main)


def test_one_that_was_never_closed_warns() -> None:
    async def main() -> None:
        service, key = make()
        await service.get(key)
        with pytest.warns(ResourceWarning, match="aclose"):
            del service

    run(main)


def test_without_timers_there_is_nothing_to_warn_of() -> None:
    async def main() -> None:
        service, key = make("on_use")
        await service.get(key)
        del service
        unused, _ = make("background")
        del unused
        gc.collect()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(main)


def test_nor_is_there_once_credentials_do_not_expire_any_more() -> None:
    async def main() -> None:
        lives = iter([60.0])

        async def settling() -> Credentials:
            life = next(lives, None)
            expires = None if life is None else datetime.fromtimestamp(wall_clock() + life, UTC)
            return Credentials("ASIA", "x", "y", expires)

        service, _ = make()
        await service.get(make_key(load=settling))
        await asyncio.sleep(120)
        assert service.statistics().next_credentials_expiry is None
        del service
        gc.collect()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(main)


def test_on_use_nothing_happens_while_nobody_asks() -> None:
    async def main() -> None:
        service, key = make("on_use")
        await service.get(key)
        await asyncio.sleep(24 * 3600)
        assert service.statistics().generations == 1
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main)


def test_the_end_of_the_loop_is_quiet(recwarn: pytest.WarningsRecorder, caplog: pytest.LogCaptureFixture) -> None:
    def use_on_two_loops() -> None:
        service, key = make()

        async def main() -> None:
            await service.get(key)

        run(main)
        run(main)

    use_on_two_loops()
    gc.collect()
    assert list(recwarn) == []
    assert [record for record in caplog.records if record.levelname != "DEBUG"] == []


def test_an_unknown_way_to_refresh() -> None:
    with pytest.raises(ConfigurationError, match="refresh"):
        make("sometimes")


def test_an_identity_that_was_dropped_while_it_was_read_gets_no_timer() -> None:
    reads = 0

    async def main() -> None:
        gate = asyncio.Event()

        def reader() -> Callable[[], Coroutine[Any, Any, Credentials]]:
            async def read() -> Credentials:
                nonlocal reads
                reads += 1
                await gate.wait()
                return Credentials("ASIA", "x", "y", datetime.fromtimestamp(wall_clock() + 30, UTC))

            return read

        service, _ = make()
        asking = [asyncio.create_task(service.get(make_key(load=reader()))) for _ in range(MAX_KEYS + 10)]
        await asyncio.sleep(1)
        gate.set()
        await asyncio.gather(*asking)
        await service.aclose()
        await asyncio.sleep(24 * 3600)

    run(main)
    assert reads == MAX_KEYS + 10


def test_an_identity_that_was_dropped_is_not_read_again_by_its_timer() -> None:
    reads = 0

    async def main() -> None:
        def reader() -> Callable[[], Coroutine[Any, Any, Credentials]]:
            async def read() -> Credentials:
                nonlocal reads
                reads += 1
                return Credentials("ASIA", "x", "y", datetime.fromtimestamp(wall_clock() + 30, UTC))

            return read

        service, _ = make()
        for _ in range(MAX_KEYS + 10):
            await service.get(make_key(load=reader()))
        await asyncio.sleep(26)
        await service.aclose()

    run(main)
    assert reads == MAX_KEYS + 10 + MAX_KEYS
