"""How long to wait before the next try."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_iam_async.refresh_ahead import is_retry_due, retry_delay

draws = st.floats(min_value=0, max_value=1, exclude_max=True)


@given(left=st.floats(min_value=-1e9, allow_nan=False), draw=draws)
def test_delays_are_bounded(left: float, draw: float) -> None:
    assert 1 <= retry_delay(left, 1, draw) <= 600


def test_the_less_is_left_the_sooner() -> None:
    assert [retry_delay(left, 1, 0.0) for left in (math.inf, 700, 240, 100, 4, 1, 0)] == [600, 556, 144, 60, 2.4, 1, 1]


def test_part_of_a_delay_is_chance() -> None:
    assert retry_delay(700, 1, 0.5) == pytest.approx(580)
    assert retry_delay(240, 1, 0.5) == pytest.approx(162)
    assert retry_delay(100, 1, 0.5) == pytest.approx(67.5)


@given(left=st.floats(min_value=685, max_value=735), seed=st.integers())
def test_ten_minutes_of_failure_take_few_tries_and_leave_time_for_one_that_succeeds(left: float, seed: int) -> None:
    draw = random.Random(seed).random
    outage_ends, tries = left - 600, 0
    while left > outage_ends:
        tries += 1
        left -= retry_delay(left, 1, draw())
    assert tries <= 2
    assert left > 20


def test_a_clock_set_back_does_not_put_a_retry_off() -> None:
    assert not is_retry_due(1000, 1010)
    assert is_retry_due(1010, 1010)
    assert is_retry_due(1000, 1000 + 3600)
