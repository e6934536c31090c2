"""With keys that are valid for seconds, and outages of their source, no connection to a real server waits or fails."""

import asyncio

import pytest

from benchmarks.short_lives import KINDS, Lives, live
from tests.faults.site import Site

pytestmark = pytest.mark.asyncio(loop_factories=["asyncio"])
# A key is renewed in the last fifth of its life, 19 s after it was given out. That fails. The next try, 3 to 4 s later,
# leaves a second to a busy machine.
LIVES = Lives(key=24.0, token=3, fetch=0.05, outage=1.5, outage_at=18.7, storm=10, storm_at=19.7)


async def test_nobody_waits_and_nobody_is_refused(place: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aws_iam_async.tokens.token.MARGIN", 1.0)  # 30 s before what lives for 24
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(live(place, refresh, LIVES, 25)) for refresh in KINDS]
    outcomes = [task.result() for task in tasks]
    assert [outcome for outcome in outcomes if not outcome.is_undisturbed] == []
    assert [outcome.requests - outcome.requests_failed for outcome in outcomes] == [2, 2]
    assert sum(outcome.requests_failed for outcome in outcomes) >= 1  # "on_use" can ask after the outage
    assert all(outcome.generations >= 6 for outcome in outcomes)
    logins = place.emulator.logins
    assert [login.reason for login in logins if not login.accepted] == []
    assert len(logins) == sum(outcome.connects for outcome in outcomes) > 60
    assert len({login.access_key_id for login in logins}) == 4  # of each, the first key and the one after the outage
