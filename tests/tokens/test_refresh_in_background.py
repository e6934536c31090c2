"""``refresh="background"`` keeps tokens fresh by timer, and leaves nothing behind."""

import asyncio
import gc
import warnings
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest

from aws_iam_async.credentials.credentials import Credentials
from aws_iam_async.credentials.source import source
from aws_iam_async.errors import ConfigurationError, TokenError
from aws_iam_async.tokens.key import TokenKey
from aws_iam_async.tokens.service import TokenService
from benchmarks.virtual_loop import VirtualLoop
from tests.tokens.conftest import START


def wall_clock() -> float:
    return START + asyncio.get_running_loop().time()


async def load() -> Credentials:
    return Credentials("ASIA", "x", "y", datetime.fromtimestamp(wall_clock() + 3600, UTC))


def make(refresh: str = "background") -> tuple[TokenService, TokenKey]:
    service = TokenService(refresh=refresh, clock=wall_clock, random=lambda: 0.5)  # type: ignore[arg-type]  # tested
    key = TokenKey(host="db.example", port=5432, user="app", region="us-east-1", source=source(credentials=load))
    return service, key


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())


def test_tokens_stay_fresh_though_they_are_rarely_asked_for() -> None:
    async def main() -> None:
        service, key = make()
        first, _ = await service.get(key)
        for _ in range(24):
            await asyncio.sleep(3599)
            token, _ = await service.get(key)
            assert token is not first
            assert token.refresh_at.timestamp() > wall_clock()
        statistics = service.statistics()
        assert (statistics.waits, statistics.hits) == (1, 24)
        assert 24 * 3600 / 870 < statistics.generations < 24 * 3600 / 450
        assert 24 < statistics.credentials_loads <= 24 * 3600 / 2900 + 1
        await service.aclose()

    run(main)


def test_a_token_that_nobody_asks_for_is_let_go_but_its_credentials_are_kept() -> None:
    async def main() -> None:
        service, key = make()
        await service.get(key)
        await asyncio.sleep(5400)
        generations = service.statistics().generations
        assert service.statistics().live_tokens == 0
        await asyncio.sleep(7 * 24 * 3600)
        assert service.statistics().generations == generations
        coming = service.get(key)
        with pytest.raises(StopIteration) as served:
            coming.send(None)  # no await on the way
        assert served.value.value[0].expires_at.timestamp() > wall_clock()
        assert service.statistics().waits == 1
        await asyncio.sleep(1800)
        assert service.statistics().live_tokens == 1
        assert service.statistics().generations > generations + 1
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
        service, key = make()
        key = key._replace(source=source(credentials=unsteady))
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
        generations = service.statistics().generations
        assert asyncio.all_tasks() == {asyncio.current_task()}
        await asyncio.sleep(3600)
        assert service.statistics().generations == generations
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
        service, key = make()
        await service.get(key._replace(source=source(credentials=slow)))
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
        assert service.statistics().generations == 1
        await asyncio.sleep(3600)
        assert service.statistics().generations == 1

    run(main)


def test_who_waits_while_it_is_closed_gets_a_token_and_no_timer_is_set() -> None:
    async def main() -> None:
        asked, answered = asyncio.Event(), asyncio.Event()

        async def slow() -> Credentials:
            asked.set()
            await answered.wait()
            return await load()

        service, key = make()
        waiting = asyncio.create_task(service.get(key._replace(source=source(credentials=slow))))
        await asked.wait()
        closing = asyncio.create_task(service.aclose())
        await closing
        answered.set()
        token, _ = await waiting
        assert token.expires_at.timestamp() > wall_clock()
        await asyncio.sleep(0)
        rings = [handle for handle in asyncio.get_running_loop()._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]  # asyncio's own
        assert rings == []

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
