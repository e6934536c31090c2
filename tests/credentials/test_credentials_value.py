"""``Credentials`` takes what AWS keys look like and shows no secret."""

import pickle
import traceback
from datetime import UTC, datetime, timedelta, timezone

import pytest

from aws_iam_async import ConfigurationError, Credentials

EXPIRES = datetime(2030, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))


def test_repr_shows_no_secret() -> None:
    credentials = Credentials("ASIAEXAMPLE", "SECRET-KEY-MARK", "SESSION-TOKEN-MARK", EXPIRES)
    shown = f"{credentials!r} {credentials} {credentials.secret_key!r} {credentials.session_token!r}"
    assert "ASIAEXAMPLE" in shown
    assert "MARK" not in shown


def test_a_traceback_with_locals_shows_why_a_key_was_refused() -> None:
    try:
        Credentials("ASIAEXAMPLE", "MARK MARK")
    except ConfigurationError as error:
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "secret_key contains a space" in shown
    assert "self = Credentials(" in shown


def test_expiry_becomes_utc() -> None:
    credentials = Credentials("ASIAEXAMPLE", "x", "y", EXPIRES)
    assert credentials.expires_at == EXPIRES
    assert credentials.expires_at is not None
    assert credentials.expires_at.tzinfo is UTC


def test_equal_values_are_equal() -> None:
    assert Credentials("a", "b") == Credentials("a", "b")
    assert pickle.loads(pickle.dumps(Credentials("a", "b", "c", EXPIRES))) == Credentials("a", "b", "c", EXPIRES)


@pytest.mark.parametrize("name", ["access_key", "secret_key", "session_token"])
@pytest.mark.parametrize("wrong", [b"MARK", 7, "", "MARK\n", " MARK", "MARK MARK", "MÄRK", "MARK\x00", "\ud800MARK"])
def test_what_is_no_key_is_refused_without_repeating_it(name: str, wrong: object) -> None:
    values: dict[str, object] = {"access_key": "a", "secret_key": "b", "session_token": "c", name: wrong}
    with pytest.raises(ConfigurationError, match=name) as raised:
        Credentials(**values)  # type: ignore[arg-type]  # wrong on purpose
    assert "MARK" not in str(raised.value)


# As an env file, a template, a URL, a document or a shell leaves them.
NO_KEYS = [
    '"MARK"',
    "'MARK'",
    "MARK%2FMARK",
    "<MARK>",
    "$MARK",
    "${MARK}",
    "{{ MARK }}",
    "`MARK`",
    "MARK\\n",
    "***",
    "MARK,",
]


@pytest.mark.parametrize("name", ["access_key", "secret_key", "session_token"])
@pytest.mark.parametrize("wrong", NO_KEYS)
def test_characters_that_no_key_holds_are_named(name: str, wrong: str) -> None:
    values = {"access_key": "a", "secret_key": "b", "session_token": "c"} | {name: wrong}
    with pytest.raises(ConfigurationError, match=f"{name} contains .+, which no AWS key contains") as raised:
        Credentials(values["access_key"], values["secret_key"], values["session_token"])
    assert "MARK" not in str(raised.value)


@pytest.mark.parametrize("value", ["wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "IQoJb3JpZ2luX2Vj//==", "a-b_c.d~e:f@g"])
def test_what_keys_and_tokens_consist_of_is_taken(value: str) -> None:
    assert str(Credentials("AKIAIOSFODNN7EXAMPLE", value, value).secret_key) == value


@pytest.mark.parametrize("wrong", ["2030-01-01", 1_800_000_000, datetime(2030, 1, 1)], ids=str)  # noqa: DTZ001 - the point
def test_an_expiry_without_a_time_zone_is_refused(wrong: object) -> None:
    with pytest.raises(ConfigurationError, match="expires_at"):
        Credentials("a", "b", "c", wrong)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=-5)), timezone(timedelta(hours=14))], ids=str)
def test_the_last_of_all_years_means_never(zone: timezone) -> None:
    assert Credentials("a", "b", "c", datetime.max.replace(tzinfo=zone)).expires_at is None


def test_the_first_moment_of_all_has_passed_in_every_zone() -> None:
    for hours in (-14, 0, 14):
        expires_at = Credentials(
            "a", "b", "c", datetime.min.replace(tzinfo=timezone(timedelta(hours=hours)))
        ).expires_at
        assert expires_at is not None
        assert expires_at.year == 1
