"""Pure functions behind the advice: SQL, policies, certificates, clocks and the reasons of refused logins."""

from datetime import UTC, datetime, timedelta

import aiomysql
import asyncpg
import psycopg
import pytest

from aws_iam_async import Credentials, drivers, endpoints
from aws_iam_async.cli.doctor import advice_login, advice_network, sts
from aws_iam_async.cli.doctor.advice_setup import wrong_clock
from aws_iam_async.cli.doctor.findings import Certificate
from aws_iam_async.cli.doctor.refusal import Refusal, login_refusal
from aws_iam_async.credentials.source import credentials_source
from aws_iam_async.tokens.token import TokenKey

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("app", "app"),
        ("app_2", "app_2"),
        ("App", '"App"'),
        ("my-app", '"my-app"'),
        ("user", '"user"'),
        ('a"; DROP TABLE x; --', '"a""; DROP TABLE x; --"'),
    ],
)
def test_names_in_postgresql(name: str, quoted: str) -> None:
    assert advice_login.grant("postgresql", name).endswith(f"\nGRANT rds_iam TO {quoted};")


@pytest.mark.parametrize(
    ("name", "quoted"),
    [("app", "'app'@'%'"), ("o'brien", "'o''brien'@'%'"), ("a\\' OR 1; --", "'a\\\\'' OR 1; --'@'%'")],
)
def test_names_in_mysql(name: str, quoted: str) -> None:
    begin = f"CREATE USER {quoted} IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL;"
    assert advice_login.grant("mysql", name).startswith(begin)


@pytest.mark.parametrize(
    ("region", "arn"),
    [
        ("us-east-1", "arn:aws:rds-db:us-east-1:ACCOUNT:dbuser:RESOURCE_ID/app"),
        ("cn-north-1", "arn:aws-cn:rds-db:cn-north-1:ACCOUNT:dbuser:RESOURCE_ID/app"),
        ("us-gov-west-1", "arn:aws-us-gov:rds-db:us-gov-west-1:ACCOUNT:dbuser:RESOURCE_ID/app"),
        ("us-iso-east-1", "arn:aws-iso:rds-db:us-iso-east-1:ACCOUNT:dbuser:RESOURCE_ID/app"),
        ("us-isob-east-1", "arn:aws-iso-b:rds-db:us-isob-east-1:ACCOUNT:dbuser:RESOURCE_ID/app"),
        ("eusc-de-east-1", "arn:aws-eusc:rds-db:eusc-de-east-1:ACCOUNT:dbuser:RESOURCE_ID/app"),
    ],
)
def test_the_arn_is_of_the_regions_partition(region: str, arn: str) -> None:
    async def load() -> Credentials:
        return Credentials("ASIAEXAMPLE", "unused")

    assert TokenKey("unused", 5432, "app", region, credentials_source(None, load)).resource() == arn


@pytest.mark.parametrize(
    ("host", "resource_id"),
    [
        ("shop.c9akciq32.us-east-1.rds.amazonaws.com", "db-..."),
        ("shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com", "cluster-..."),
        ("shop.proxy-c9akciq32.us-east-1.rds.amazonaws.com", "prx-..."),
    ],
)
def test_the_resource_id_is_of_the_endpoints_kind(host: str, resource_id: str) -> None:
    assert resource_id in advice_login.resource_id(endpoints.parse(host))


@pytest.mark.parametrize(
    ("arn", "owner"),
    [
        ("arn:aws:iam::123456789012:user/eve", "arn:aws:iam::123456789012:user/eve"),
        ("arn:aws:sts::123456789012:assumed-role/app-role/i-0123", "role app-role"),
    ],
)
def test_the_policies_of_a_session_are_those_of_its_role(arn: str, owner: str) -> None:
    assert advice_login.policy_owner(arn) == owner


@pytest.mark.parametrize(("skew", "words"), [(61, "1 min ahead"), (-600, "10 min behind"), (60, None), (None, None)])
def test_a_clock_is_wrong_from_a_minute_on(skew: float | None, words: str | None) -> None:
    advice = wrong_clock(skew)
    assert advice is None if words is None else words in getattr(advice, "text", "")


@pytest.mark.parametrize(("skew", "certain"), [(299.0, False), (301.0, True), (-600.0, False), (-901.0, True)], ids=str)
def test_a_clock_is_the_certain_cause_if_it_makes_every_token_invalid(skew: float, certain: bool) -> None:
    advice = wrong_clock(skew)
    assert advice is not None
    assert advice.certain is certain


@pytest.mark.parametrize(
    ("date", "skew"),
    [
        ("Thu, 01 Jan 2026 00:00:00 GMT", 0.5),
        ("Wed, 31 Dec 2025 23:50:00 GMT", 600.5),
        ("yesterday", None),
        (None, None),
    ],
)
def test_the_clock_is_compared_in_the_middle_of_the_answer(date: str | None, skew: float | None) -> None:
    asked = NOW.timestamp()
    assert sts.clock_skew(date, asked, asked + 1) == skew


@pytest.mark.parametrize(("days", "words"), [(29, "of CA expires in 29 days"), (31, None)])
def test_a_certificate_near_its_end_is_warned_of(days: int, words: str | None) -> None:
    leaf = Certificate("leaf", "CA", ("db.example",), NOW, NOW + timedelta(days=300))
    authority = Certificate("CA", "CA", (), NOW, NOW + timedelta(days=days))
    advice = advice_network.expires_soon((leaf, authority), NOW)
    assert advice is None if words is None else words in getattr(advice, "text", "")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("shop.c9akciq32.us-east-1.rds.amazonaws.com", "--iam-host shop.c9akciq32.us-east-1.rds.amazonaws.com"),
        ("*.proxy-c9akciq32.us-east-1.rds.amazonaws.com", None),
        ("evil.example", None),
        ("$(reboot)", None),
    ],
)
def test_only_an_endpoints_name_is_copied_out_of_a_certificate(name: str, code: str | None) -> None:
    leaf = Certificate("leaf", "CA", (name,), NOW, NOW)
    advice = advice_network.refused_certificate(62, name="db.example", chain=[leaf], trusted=None, trust="")
    assert name in advice.text
    assert advice.code == code


@pytest.mark.parametrize(
    ("address", "private"), [("10.0.3.7", True), ("172.16.0.1", True), ("fd00::1", True), ("54.1.2.3", False)]
)
def test_a_private_address_is_named(address: str, private: bool) -> None:
    assert ("private address" in advice_network.port_silent(address).text) is private


def test_the_usual_port_is_named_if_another_port_refuses() -> None:
    assert "The usual port is 5432" in advice_network.port_refused("db.example", 5433, 5432).text
    assert "The usual port" not in advice_network.port_refused("db.example", 5432, 5432).text


def postgres_error(sqlstate: str, message: str) -> Exception:
    error: Exception = asyncpg.PostgresError.new({"C": sqlstate, "M": message})
    return error


@pytest.mark.parametrize(
    ("error", "refusal"),
    [
        (postgres_error("28000", 'PAM authentication failed for user "app"'), Refusal.TOKEN),
        (postgres_error("28000", 'role "app" does not exist'), Refusal.NOT_IAM),
        (postgres_error("28000", 'no pg_hba.conf entry for host "10.0.3.7"'), Refusal.NO_ENTRY),
        (postgres_error("28P01", 'password authentication failed for user "app"'), Refusal.NOT_IAM),
        (postgres_error("42501", 'permission denied for database "shop"'), Refusal.NO_ACCESS_TO_DATABASE),
        (postgres_error("53300", "sorry, too many clients already"), Refusal.TOO_MANY_CONNECTIONS),
        (postgres_error("57P03", "the database system is starting up"), Refusal.NOT_READY),
        (postgres_error("XX000", "something"), Refusal.OTHER),
        (TimeoutError(), Refusal.TIMEOUT),
        (ConnectionResetError(104, "reset"), Refusal.OTHER),
        (Exception(), Refusal.OTHER),
    ],
)
def test_the_reason_in_an_answer_of_postgresql(error: Exception, refusal: Refusal) -> None:
    drivers.load_now("asyncpg")
    assert login_refusal("asyncpg", error) is refusal


@pytest.mark.parametrize(
    ("message", "refusal"),
    [
        ('PAM authentication failed for user "app"', Refusal.TOKEN),
        ('role "app" does not exist', Refusal.NOT_IAM),
        ('no pg_hba.conf entry for host "10.0.3.7"', Refusal.NO_ENTRY),
        ('password authentication failed for user "app"', Refusal.NOT_IAM),
        ('database "shop" does not exist', Refusal.NO_DATABASE),
        ('permission denied for database "shop"', Refusal.NO_ACCESS_TO_DATABASE),
        ("sorry, too many clients already", Refusal.TOO_MANY_CONNECTIONS),
        ("remaining connection slots are reserved for roles with privileges", Refusal.TOO_MANY_CONNECTIONS),
        ('too many connections for role "app"', Refusal.TOO_MANY_CONNECTIONS),
        ('unrecognized configuration parameter "serch_path"', Refusal.SETTING),
        ('invalid value for parameter "statement_timeout": "soon"', Refusal.SETTING),
        ("the database system is starting up", Refusal.NOT_READY),
        ("something", Refusal.OTHER),
    ],
)
def test_the_reason_in_an_answer_by_way_of_psycopg(message: str, refusal: Refusal) -> None:
    drivers.load_now("psycopg")
    error = psycopg.OperationalError(f'connection to server at "127.0.0.1", port 5432 failed: FATAL:  {message}')
    assert login_refusal("psycopg", error) is refusal


@pytest.mark.parametrize(
    ("number", "message", "refusal"),
    [
        (1045, "Access denied for user 'app'@'h' (using password: YES)", Refusal.TOKEN),
        (1045, "Access denied for user 'app'@'h' (using password: NO)", Refusal.NOT_IAM),
        (1049, "Unknown database 'shop'", Refusal.NO_DATABASE),
        (1130, "Host is not allowed to connect", Refusal.HOST),
        (1203, "has more than 'max_user_connections'", Refusal.TOO_MANY_CONNECTIONS),
    ],
)
def test_the_reason_in_an_answer_of_mysql(number: int, message: str, refusal: Refusal) -> None:
    drivers.load_now("aiomysql")
    assert login_refusal("aiomysql", aiomysql.OperationalError(number, message)) is refusal
