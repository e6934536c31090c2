"""When a token is good, and when a new one is wanted."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_iam_async import ConfigurationError
from aws_iam_async.tokens.token import lifetime_of, parse_expiration

NOW = 1_800_000_000.7

times = st.floats(min_value=0, max_value=4e9)
draws = st.floats(min_value=0, max_value=1, exclude_max=True)
expirations = st.integers(min_value=0, max_value=900)


def test_the_longest_life_ends_half_a_minute_before_the_server_refuses() -> None:
    lifetime = lifetime_of(NOW, longest_life=900, expiration=900, credentials_expire=None, draw=0.0)
    assert lifetime.issued == 1_800_000_000
    assert (lifetime.served_until, lifetime.accepted_until) == (1_800_000_870, 1_800_000_900)


def test_a_shorter_wish_is_kept_to_the_second() -> None:
    lifetime = lifetime_of(NOW, longest_life=900, expiration=600, credentials_expire=None, draw=0.0)
    assert lifetime.served_until == 1_800_000_600


def test_a_token_does_not_outlive_its_credentials() -> None:
    lifetime = lifetime_of(NOW, longest_life=900, expiration=900, credentials_expire=NOW + 300, draw=0.0)
    assert lifetime.served_until == NOW + 270
    assert lifetime.accepted_until == NOW + 300


def test_credentials_in_their_last_seconds_make_a_token_that_is_not_kept() -> None:
    lifetime = lifetime_of(NOW, longest_life=900, expiration=900, credentials_expire=NOW + 10, draw=0.5)
    assert not lifetime.is_servable(NOW)
    assert lifetime.accepted_until == NOW + 10


@given(now=times, expiration=expirations, remaining=st.none() | st.floats(-100, 50_000), draw=draws)
def test_moments_follow_one_another(now: float, expiration: int, remaining: float | None, draw: float) -> None:
    expire = None if remaining is None else now + remaining
    lifetime = lifetime_of(now, longest_life=900, expiration=expiration, credentials_expire=expire, draw=draw)
    assert lifetime.issued <= lifetime.refresh <= lifetime.served_until
    assert lifetime.issued <= now < lifetime.issued + 1
    if lifetime.served_until > lifetime.issued:
        assert lifetime.served_until <= lifetime.accepted_until - 30
        assert lifetime.served_until - lifetime.issued <= expiration
        life = lifetime.served_until - lifetime.issued
        assert 0.55 * life < lifetime.refresh - lifetime.issued < 0.8 * life
        assert lifetime.is_servable(lifetime.issued)
        assert lifetime.is_servable((lifetime.refresh + lifetime.served_until) / 2)
    assert not lifetime.is_servable(lifetime.served_until)


def test_a_fleet_does_not_refresh_in_step() -> None:
    refreshes = [
        lifetime_of(NOW, longest_life=900, expiration=900, credentials_expire=None, draw=draw / 10).refresh
        for draw in range(10)
    ]
    assert max(refreshes) - min(refreshes) > 60


def test_a_clock_set_back_makes_a_token_expire() -> None:
    lifetime = lifetime_of(NOW, longest_life=900, expiration=900, credentials_expire=None, draw=0.0)
    assert lifetime.is_servable(NOW - 3)  # slewed by a time daemon
    assert not lifetime.is_servable(NOW - 60)


@pytest.mark.parametrize(
    ("given_value", "seconds"), [(0, 0), (900, 900), (1.5, 1.5), ("0", 0), ("450", 450), ("1.5", 1.5)]
)
def test_expirations_that_can_be_used(given_value: object, seconds: float) -> None:
    assert parse_expiration(given_value, "expiration") == seconds


@pytest.mark.parametrize(
    "wrong",
    [
        -1,
        900.5,
        "901",
        "-1",
        "1.5.",
        ".",
        True,
        None,
        "",
        " 5",
        "1_0",
        "\u0665",
        "9" * 5000,
        10**400,
        math.nan,
        math.inf,
    ],
)
def test_expirations_that_cannot(wrong: object) -> None:
    with pytest.raises(ConfigurationError, match=r"^iam_token_expiration must be a number of seconds from 0"):
        parse_expiration(wrong, "iam_token_expiration")
