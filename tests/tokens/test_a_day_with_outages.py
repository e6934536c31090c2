"""A day of simulated time in which the credentials endpoint is slow, and down for ten minutes of every hour."""

import functools
from pathlib import Path

import pytest

from benchmarks.simulated_day import (
    DAY,
    HOUR,
    KINDS,
    OUTAGES_DRAWN,
    Kind,
    least_requests,
    least_requests_with_foresight,
    simulate,
)

pytestmark = pytest.mark.long
simulated = functools.cache(simulate)  # the same each time: its random numbers are


@pytest.mark.parametrize("outage", [900, 2700, 2940])  # the last: as the first credentials want to be renewed
@pytest.mark.parametrize("kind", ["on_use", "background"])
def test_nobody_waits_nothing_fails_and_the_endpoint_is_left_in_peace(kind: Kind, outage: float) -> None:
    day = simulated(kind, outage)
    assert day.connects > DAY / 5 + 23 * 1000
    assert day.waits == []
    assert day.failures == []
    assert day.requests <= least_requests(outage) * 1.2  # those that failed included


def test_what_is_written_by_hand_waits_and_fails() -> None:
    """Or the day would be too easy to show anything."""
    day = simulated("by hand", 2700)
    assert len(day.waits) > 20
    assert len(day.failures) > 20


@pytest.mark.parametrize("outage", range(0, HOUR, 300))
def test_the_least_is_what_it_says(outage: float) -> None:
    assert DAY / HOUR <= least_requests_with_foresight(outage) <= DAY / HOUR + 2
    assert DAY / (HOUR - 602) < least_requests(outage) <= DAY / (HOUR - 602) + 3


def test_the_curves_in_the_documentation_are_those_of_today() -> None:
    picture = (Path(__file__).parents[2] / "docs" / "simulated_day.svg").read_text(encoding="utf-8")
    for kind in KINDS:
        assert f">{simulated(kind, OUTAGES_DRAWN).requests}</text>" in picture
