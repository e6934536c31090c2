"""What is read out of a DSN."""

import string
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url

import aws_iam_async
from aws_iam_async import ConfigurationError
from aws_iam_async.options.dsn import parse
from tests.options.reader import Options


def test_all_parts() -> None:
    dsn = parse("postgresql://app:pw@db.example:6432/shop?iam_region=eu-west-1&application_name=x")
    assert (dsn.scheme, dsn.user, dsn.password, dsn.database) == ("postgresql", "app", "pw", "shop")
    assert dsn.hosts == (("db.example", "6432"),)
    assert dict(dsn.query) == {"iam_region": "eu-west-1", "application_name": "x"}


def test_what_is_absent_is_none() -> None:
    dsn = parse("mysql://db.example")
    assert (dsn.user, dsn.password, dsn.database, dict(dsn.query)) == (None, None, None, {})
    assert dsn.hosts == (("db.example", None),)
    assert parse("postgresql:///shop").hosts == ()


def test_percent_encoding() -> None:
    dsn = parse("postgresql://a%40b:p%2Fw%3A@%2Fvar%2Frun/my%20db?x=a%26b")
    assert (dsn.user, dsn.password, dsn.database) == ("a@b", "p/w:", "my db")
    assert dsn.hosts == (("/var/run", None),)
    assert dsn.query["x"] == "a&b"


def test_a_host_in_the_query_is_decoded_once() -> None:
    assert parse("postgresql:///shop?host=%2Frun%2Fa%2520b").hosts == (("/run/a%20b", None),)


def test_several_hosts_and_ipv6() -> None:
    dsn = parse("postgresql://app@a.example:1,[2001:db8::1]:2,[fe80::1%25eth0],c.example/shop")
    assert dsn.hosts == (("a.example", "1"), ("2001:db8::1", "2"), ("fe80::1%eth0", None), ("c.example", None))


def test_the_scheme_is_not_case_sensitive() -> None:
    assert parse("PostgreSQL://db/shop").scheme == "postgresql"


@pytest.mark.parametrize(
    ("dsn", "hint"),
    [
        ("", "scheme"),
        ("db.example/shop", "scheme"),
        ("postgresql:db", "scheme"),
        ("postgresql://us er@db/shop", "white space"),
        ("postgresql://db/sh\nop", "white space"),
        ("postgresql://app:se#cret@db/shop", "%23"),
        ("postgresql://[::1/shop", "IPv6"),
        ("postgresql://2001:db8::1/shop", "IPv6"),
        ("postgresql://db/shop?x", "name=value"),
        ("postgresql://db/shop?x=1&x=2", "twice"),
        ("postgresql://%ff@db/shop", "UTF-8"),
    ],
)
def test_what_is_no_dsn_is_refused_with_advice(dsn: str, hint: str) -> None:
    with pytest.raises(ConfigurationError, match=hint):
        parse(dsn)


def test_a_refusal_never_repeats_the_password() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse("postgresql://app:hunter2@[db/shop")
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(caught.value.__cause__)
    assert "hunter2" not in repr(parse("postgresql://app:hunter2@db/shop"))


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
@pytest.mark.parametrize(
    "login",
    ["app:hunter?2hunter", "app:hunter?hunter=2", "app:2?hunter&hunter=2", "?:hunter2", "app:hunter/2"],
)
def test_no_piece_of_a_password_that_was_not_encoded_is_told(scheme: str, login: str) -> None:
    """RFC 3986 sees a query, a path or an address in it."""
    with pytest.raises(ConfigurationError) as caught:
        Options(scheme).read(f"{scheme}://{login}@db.example/shop?connect_timeout=1", {})
    assert "hunter" not in str(caught.value)
    assert "hunter" not in repr(caught.value.__cause__)


@pytest.mark.parametrize(
    ("dsn", "advice"),
    [
        ("postgresql://app:p/ss@db/shop", "percent-encode '/'"),
        ("jdbc:postgresql://db/shop", "without quotes or 'jdbc:'"),
        ("'postgresql://db/shop'", "without quotes or 'jdbc:'"),
    ],
)
def test_what_is_often_wrong_is_named(dsn: str, advice: str) -> None:
    with pytest.raises(ConfigurationError, match=advice) as refused:
        parse(dsn)
    assert "ss@" not in str(refused.value)


@pytest.mark.parametrize("around", ["\n", " ", "\r\n", "\t"])
def test_white_space_around_a_dsn_is_not_part_of_it(around: str) -> None:
    assert parse(f"{around}postgresql://app@db/shop{around}") == parse("postgresql://app@db/shop")


@pytest.mark.parametrize("conninfo", ["host=db port=5432 password=hunter2", "dbname = shop", "Server=db;Pwd=hunter2"])
def test_a_list_of_keys_and_values_is_told_from_a_url(conninfo: str) -> None:
    with pytest.raises(ConfigurationError, match=r"write postgresql://.* or pass key=value pairs") as refused:
        parse(conninfo)
    assert "hunter2" not in str(refused.value)


async def test_a_variable_that_is_not_set_is_named_as_a_cause() -> None:
    with pytest.raises(ConfigurationError, match=r"there is no DSN.*variable.*driver='asyncpg'"):
        await aws_iam_async.connect(None)


class PostgresDsn:
    """Like pydantic's."""

    def __str__(self) -> str:
        return "postgresql://app@db/shop"


@pytest.mark.parametrize(
    ("dsn", "advice"),
    [
        (make_url("postgresql://app@db/shop"), r"not URL; pass .*dsn.render_as_string\(hide_password=False\)"),
        (PostgresDsn(), "not PostgresDsn; pass its text: str.dsn."),
    ],
)
async def test_an_object_with_a_dsn_in_it_is_refused_with_the_way_to_get_it(dsn: Any, advice: str) -> None:
    for way in (aws_iam_async.connect, aws_iam_async.create_pool):
        with pytest.raises(ConfigurationError, match=advice):
            await way(dsn)


@pytest.mark.parametrize("dsn", [5, b"postgresql://app@db/shop", ["postgresql://app@db/shop"], {}])
async def test_what_is_no_string_is_refused(dsn: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"^dsn must be a string, not {type(dsn).__name__}"):
        await aws_iam_async.connect(dsn)


@pytest.mark.parametrize("dsn", ["postgresql://db:5432/shop?application_name=a@b", "postgresql://[::1]/shop?x=a@b"])
def test_an_at_sign_in_the_query_is_as_good_as_any(dsn: str) -> None:
    assert "a@b" in parse(dsn).query.values()


@given(st.text(max_size=60))
def test_any_text_is_a_dsn_or_a_configuration_error(text: str) -> None:
    for dsn in (text, f"postgresql://{text}", f"mysql://app@{text}/shop?{text}"):
        try:
            parse(dsn)
        except ConfigurationError:
            continue


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(
    user=texts,
    password=st.just("") | texts,
    database=texts,
    host=st.text(alphabet=string.ascii_lowercase + string.digits + ".-", min_size=1, max_size=20),
    port=st.integers(min_value=1, max_value=65535),
)
def test_what_is_quoted_comes_back(user: str, password: str, database: str, host: str, port: int) -> None:
    try:
        user.encode(), password.encode(), database.encode()
    except UnicodeEncodeError:
        return
    dsn = parse(f"mysql://{quote(user, safe='')}:{quote(password, safe='')}@{host}:{port}/{quote(database, safe='')}")
    assert (dsn.user, dsn.password, dsn.database) == (user, password, database)
    assert dsn.hosts == ((host, str(port)),)


@pytest.mark.parametrize("password", ["%ff%fehunter", "hunter%00"])
def test_no_password_is_in_what_led_to_a_refusal(password: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse(f"postgresql://app:{password}@db/shop")
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None


@pytest.mark.parametrize("password", ["[hunter", "p[hunter2]w", "hunter\uff0fsecret"])
def test_a_password_may_hold_what_would_mean_something_in_a_host(password: str) -> None:
    assert parse(f"postgresql://app:{password}@db/shop").password == password
