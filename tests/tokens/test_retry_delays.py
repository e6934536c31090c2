"""How long to wait before the next try."""

from hypothesis import given
from hypothesis import strategies as st

from aws_iam_async import backoff

draws = st.floats(min_value=0, max_value=1, exclude_max=True)


@given(failures=st.integers(min_value=1, max_value=10**9), draw=draws)
def test_delays_are_bounded(failures: int, draw: float) -> None:
    assert 0.5 <= backoff.delay(failures, draw) <= 30


def test_delays_double_until_the_longest() -> None:
    delays = [backoff.delay(failures, 0.0) * 2 for failures in range(1, 8)]
    assert delays == [1, 2, 4, 8, 16, 30, 30]


def test_half_of_a_delay_is_chance() -> None:
    assert backoff.delay(6, 0.0) == 15
    assert backoff.delay(6, 0.5) == 22.5


def test_a_clock_set_back_does_not_put_a_retry_off() -> None:
    assert not backoff.due(1000, 1010)
    assert backoff.due(1010, 1010)
    assert backoff.due(1000, 1000 + 3600)
