"""How a DSN, keywords, a manager's defaults and the environment become one request."""

import enum
import math
import ssl
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_iam_async import AwsIamError, ConfigurationError
from aws_iam_async.options import dsn as dsn_reader
from aws_iam_async.tls import Tls, TlsMode
from tests.options.reader import DRIVERS, OPTION_NAMES, Options, Read


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGPORT", "PGUSER", "PGDATABASE"):
        monkeypatch.delenv(name, raising=False)


def reading(dsn: str | None, *, pool: bool = False, defaults: Mapping[str, Any] | None = None, **keywords: Any) -> Read:
    scheme = dsn_reader.parse(dsn).scheme if dsn else "postgresql"
    return Options(scheme, defaults).read(dsn, keywords, pool=pool)


def test_keywords_win_over_the_dsn_and_the_dsn_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "env.example")
    monkeypatch.setenv("PGPORT", "1111")
    monkeypatch.setenv("PGUSER", "env")
    monkeypatch.setenv("PGDATABASE", "env")
    request = reading("postgresql://dsn@dsn.example/dsn", database="keyword").request
    assert (request.host, request.port, request.user, request.database) == ("dsn.example", 1111, "dsn", "keyword")
    request = reading("postgresql://").request
    assert (request.host, request.port, request.user, request.database) == ("env.example", 1111, "env", "env")


class Name(str, enum.Enum):  # noqa: UP042 - a StrEnum is its text in every way
    HOST = "db.example"
    USER = "app"


def test_members_of_an_enum_are_their_text() -> None:
    request = reading(None, host=Name.HOST, user=Name.USER, database=Name.USER).request
    assert f"{request.user}@{request.host}/{request.database}" == "app@db.example/app"


def test_aiomysql_reads_no_postgresql_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "env.example")
    request = reading("mysql://app@/shop").request
    assert (request.host, request.port) == (None, 3306)


def test_a_connections_option_wins_over_the_managers() -> None:
    defaults = {"profile": "manager", "iam_region": "eu-west-1"}
    request = reading("postgresql://db?iam_region=us-east-1", defaults=defaults, profile="keyword").request
    assert dict(request.options) == {"profile": "keyword", "iam_region": "us-east-1"}


def test_a_source_of_credentials_replaces_that_of_an_earlier_layer() -> None:
    async def credentials() -> None: ...

    options = reading("postgresql://db", defaults={"profile": "manager"}, credentials=credentials).request.options
    assert dict(options) == {"credentials": credentials}
    defaults = {"credentials": credentials}
    assert dict(reading("mysql://db?profile=dsn", defaults=defaults).request.options) == {"profile": "dsn"}


def test_none_means_not_given() -> None:
    request = reading("postgresql://app@db/shop?iam_region=us-east-1", user=None, iam_region=None, ssl=None).request
    assert (request.user, request.options["iam_region"]) == ("app", "us-east-1")


def test_none_for_a_drivers_keyword_is_the_drivers_none() -> None:
    assert reading("postgresql://db", timeout=None).request.driver_options == {"timeout": None}


def test_a_tunnel_keeps_the_port_of_the_dsn() -> None:
    request = reading("mysql://app@db.example:3307/shop", host="127.0.0.1").request
    assert (request.host, request.port) == ("127.0.0.1", 3307)


def test_several_hosts_become_alternates() -> None:
    request = reading("postgresql://app@a.example,b.example:6000/shop?port=5555").request
    assert (request.host, request.port) == ("a.example", 5555)
    assert request.alternates == (("b.example", 6000),)
    request = reading(None, host=["a", "b"], port=[1, 2]).request
    assert (request.host, request.port, request.alternates) == ("a", 1, (("b", 2),))


def test_hosts_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "a.example:1,b.example")
    monkeypatch.setenv("PGPORT", "7")
    request = reading("postgresql://").request
    assert (request.host, request.port, request.alternates) == ("a.example", 1, (("b.example", 7),))


def test_the_environments_port_is_for_all_hosts_of_a_dsn_or_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPORT", "7")
    assert reading("postgresql://a.example,b.example").request.alternates == (("b.example", 7),)
    assert reading("postgresql://a.example:1,b.example").request.alternates == (("b.example", 5432),)
    assert reading(None, host=["a", "b"], port=[1, None]).request.alternates == (("b", 5432),)


def test_unknown_query_names_of_a_postgresql_dsn_are_settings_for_the_server() -> None:
    request = reading("postgresql://db?application_name=x&target_session_attrs=primary&sslnegotiation=direct").request
    assert request.driver_options == {
        "server_settings": {"application_name": "x"},
        "target_session_attrs": "primary",
        "direct_tls": True,
    }


def test_the_query_of_a_mysql_dsn_has_types() -> None:
    result = reading(
        "mysql://db?connect_timeout=1&autocommit=true&charset=utf8mb4&minsize=0&maxsize=3&pool_recycle=60&echo=0",
        pool=True,
    )
    assert result.request.driver_options == {
        "connect_timeout": 1.0,
        "autocommit": True,
        "charset": "utf8mb4",
        "echo": False,
    }
    assert result.pool_options == {"minsize": 0, "maxsize": 3, "pool_recycle": 60}


def test_database_and_db_are_the_same_for_aiomysql() -> None:
    assert reading("mysql://db", db="one").request.database == "one"
    assert reading("mysql://db", database="two").request.database == "two"
    assert reading("mysql://db?db=three").request.database == "three"


def test_tls_words_mean_the_same_for_both() -> None:
    for scheme in DRIVERS:
        tls = reading(f"{scheme}://db?sslmode=verify-ca&sslrootcert=ca.pem").request.tls
        assert (tls.mode, tls.root_cert) == ("verify-ca", "ca.pem")


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_keywords_for_tls_are_completed_by_the_dsn(scheme: str) -> None:
    alpn = DRIVERS[scheme].alpn
    dsn = f"{scheme}://db?sslmode=verify-ca&sslrootcert=ca.pem"
    words: list[dict[str, Any]] = [{"ssl": "verify-full"}, {"sslmode": "verify-full"}]
    for word in words:
        tls = reading(dsn, **word).request.tls
        assert tls == Tls("verify-full", root_cert="ca.pem", alpn=alpn)
    tls = reading(dsn, sslrootcert="other.pem").request.tls
    assert tls == Tls("verify-ca", root_cert="other.pem", alpn=alpn)


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_context_or_false_replaces_all_of_the_dsns_options_for_tls(scheme: str) -> None:
    alpn = DRIVERS[scheme].alpn
    context = ssl.create_default_context()
    dsn = f"{scheme}://db?sslmode=require&sslrootcert=ca.pem"
    assert reading(dsn, ssl=context).request.tls == Tls(context=context, alpn=alpn)
    assert reading(dsn, ssl=False).request.tls == Tls("disable", alpn=alpn)


def test_a_word_that_verifies_nothing_contradicts_the_dsns_root_certificate() -> None:
    with pytest.raises(ConfigurationError, match="sslrootcert verifies nothing with sslmode 'disable'"):
        reading("postgresql://db?sslrootcert=ca.pem", ssl="disable")


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_ssl_and_sslmode_are_the_same_in_a_dsn(scheme: str) -> None:
    words: list[TlsMode] = ["require", "verify-ca", "verify-full", "prefer"]
    for word in words:
        one, other = (reading(f"{scheme}://db?{name}={word}").request.tls for name in ("ssl", "sslmode"))
        assert one == other == Tls(word, alpn=DRIVERS[scheme].alpn)


def test_a_context_is_taken_as_it_is() -> None:
    context = ssl.create_default_context()
    assert reading("mysql://db", ssl=context).request.tls.context is context


@pytest.mark.parametrize(
    ("dsn", "keywords", "hint"),
    [
        ("postgresql://db", {"iamRegion": "x"}, "did you mean iam_region"),
        ("mysql://db", {"iam_expiration": 1}, "did you mean iam_token_expiration"),
        ("postgresql://db?iamHost=x", {}, "did you mean iam_host"),
        ("postgresql://db?iam_regoin=x", {}, "did you mean iam_region"),
        ("postgresql://db?clusterInstanceHostPattern=x", {}, "cluster_instance_host_pattern"),
        ("mysql://db?profil=x", {}, "did you mean profile"),
        ("postgresql://db", {"username": "app"}, "did you mean user"),
        ("postgresql://db", {"db": "shop"}, "did you mean database"),
        ("mysql://db", {"ssl_context": 1}, "did you mean ssl"),
        ("postgresql://db", {"refresh": "background"}, r"did you mean PluginManager\(refresh=...\)"),
        ("mysql://db?conect_timeout=1", {}, "did you mean connect_timeout"),
        ("mysql://db?conv=1", {}, "pass it as a keyword"),
        ("mysql://db?autocommit=perhaps", {}, "true or false"),
        ("mysql://db?connect_timeout=soon", {}, "number of seconds"),
        ("mysql://db?maxsize=1.5", {}, "whole number"),
        ("mysql://db", {"read_default_file": "my.cnf"}, "pass host"),
        ("mysql://db?read_default_file=my.cnf", {}, "pass host"),
        ("postgresql://db?sslcert=x", {}, "SSLContext"),
        ("postgresql://db?sslnegotiation=x", {}, "'direct' or 'postgres'"),
        ("postgresql://db", {"min_size": 1}, r"create_pool\(\)"),
        ("postgresql://db", {"nonsense": 1}, "nonsense"),
        ("postgresql://db:port", {}, "port"),
        ("postgresql://db:0", {}, "port"),
        ("postgresql://db", {"port": 65536}, "port"),
        ("postgresql://db", {"port": True}, "port"),
        ("postgresql://db", {"host": 5}, "host"),
        ("postgresql://db", {"host": ""}, "host"),
        ("postgresql://db", {"host": []}, "host"),
        ("postgresql://a,,b", {}, "host"),
        ("postgresql://db", {"host": ["a", "b"], "port": [1, 2, 3]}, "ports"),
        ("postgresql://db", {"user": 5}, "user"),
        ("postgresql://db", {"database": ""}, "database"),
        ("postgresql://db?sslmode=sure", {}, "sslmode"),
        ("mysql://db?ssl=1", {}, "ssl: '1' is unknown; it must be one of"),
        ("postgresql://db?application_name=a%00user%00root", {}, "NUL"),
        ("mysql://db/shop%00x", {}, "NUL"),
        ("postgresql://db", {"ssl": "sure"}, "ssl"),
        ("postgresql://db", {"ssl": 5}, "ssl"),
        ("postgresql://db", {"timeout": "x"}, "timeout must be a number of seconds"),
        ("postgresql://db", {"timeout": True}, "timeout must be a number of seconds"),
        ("mysql://db", {"connect_timeout": "x"}, "connect_timeout must be a number of seconds"),
        ("postgresql://db", {"timeout": math.nan}, "^timeout must be a number of seconds from 0 to 1000000000"),
        ("mysql://db?connect_timeout=nan", {}, "^connect_timeout must be a number of seconds from 0 to 1000000000"),
        ("postgresql://db", {"timeout": 10**400}, "^timeout must be a number of seconds from 0 to 1000000000"),
        ("mysql://db", {"timeout": 5}, "did you mean connect_timeout"),
        ("mysql://db", {"dbname": "shop"}, "did you mean database"),
    ],
)
def test_what_is_wrong_is_refused_with_advice(dsn: str, keywords: dict[str, Any], hint: str) -> None:
    with pytest.raises(ConfigurationError, match=hint):
        reading(dsn, **keywords)


@pytest.mark.parametrize(
    ("dsn", "name"),
    [
        ("postgresql://db", "min_size"),
        ("postgresql://db", "max_size"),
        ("mysql://db", "minsize"),
        ("mysql://db", "maxsize"),
    ],
)
@pytest.mark.parametrize("size", ["5", 5.0, [5]])
def test_a_size_that_is_no_whole_number_is_refused(dsn: str, name: str, size: Any) -> None:
    message = rf"^{name} must be a whole number, not {type(size).__name__}: convert it with int\(\)$"
    with pytest.raises(ConfigurationError, match=message):
        reading(dsn, pool=True, **{name: size})


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("wrapperPlugins", "plugins"),
        ("iamExpiration", "iam_token_expiration"),
        ("iam_expiration", "iam_token_expiration"),
        ("iamDefaultPort", "iam_default_port"),
        ("awsProfile", "profile"),
        ("aws_profile", "profile"),
        ("customAwsCredentialProviderHandler", "credentials"),
        ("AwsCredentialsManager", "credentials"),
        ("enableTelemetry", 'plugins="otel,iam"'),
        ("enable_telemetry", 'plugins="otel,iam"'),
        ("ssl_ca", "sslrootcert"),
        ("token_duration_secs", "iam_token_expiration"),
        ("custom_credentials_provider", "credentials"),
    ],
)
def test_the_names_of_other_aws_libraries_are_refused_with_ours(scheme: str, old: str, new: str) -> None:
    keyword: dict[str, Any] = {old: "x"}
    for dsn, keywords in ((f"{scheme}://db", keyword), (f"{scheme}://db?{old}=x", {})):
        with pytest.raises(ConfigurationError) as refused:
            reading(dsn, **keywords)
        driver = DRIVERS[scheme].name
        only_a_keyword = " Pass it as a keyword" if new == "plugins" and not keywords else ""
        assert str(refused.value) == (
            f"unknown option {old!r} for driver {driver} with plugins 'iam': did you mean {new}?{only_a_keyword}"
        )


def test_the_pools_connect_is_taken() -> None:
    with pytest.raises(ConfigurationError, match="plugin"):
        reading("postgresql://db", pool=True, connect=print)


anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.lists(st.text(max_size=5), max_size=3),
)
names = st.sampled_from(
    [
        "host",
        "port",
        "user",
        "database",
        "password",
        "ssl",
        "sslmode",
        "sslrootcert",
        *OPTION_NAMES,
        "timeout",
        "nonsense",
    ]
)


@given(scheme=st.sampled_from(list(DRIVERS)), keywords=st.dictionaries(names, anything, max_size=6), pool=st.booleans())
def test_any_keywords_are_a_request_or_an_error_of_ours(scheme: str, keywords: dict[str, Any], pool: bool) -> None:
    try:
        request = reading(f"{scheme}://db.example/shop", pool=pool, **keywords).request
    except AwsIamError:
        return
    assert isinstance(request.port, int)
    assert 1 <= request.port <= 65535


def test_what_was_read_before_counts_by_value_and_type() -> None:
    options = Options()
    assert options.read("postgresql://db", {"port": 1}).request.port == 1
    assert options.read("postgresql://db", {"port": 2}).request.port == 2
    with pytest.raises(ConfigurationError, match="port"):
        options.read("postgresql://db", {"port": True})
    with pytest.raises(ConfigurationError, match="port"):
        options.read("postgresql://db", {"port": 1.0})


def test_a_value_that_has_no_hash_is_passed_on() -> None:
    class Unhashable:
        __hash__ = None  # type: ignore[assignment]  # as a class with __eq__ has it

    value = Unhashable()
    assert reading("postgresql://db", server_settings=value).request.driver_options["server_settings"] is value


def test_a_changed_environment_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    options = Options()
    for user in ("one", "two"):
        monkeypatch.setenv("PGUSER", user)
        assert options.read("postgresql://db", {}).request.user == user


def test_equal_credentials_are_not_the_same_credentials() -> None:
    class Source:
        """Compares by name, as a dataclass does."""

        def __init__(self, name: str) -> None:
            self.name = name

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Source) and other.name == self.name

        def __hash__(self) -> int:
            return hash(self.name)

        async def __call__(self) -> None: ...

    options = Options()
    for source in (Source("one"), Source("one")):
        request = options.read("postgresql://db", {"credentials": source}).request
        assert request.options["credentials"] is source


def test_settings_for_the_server_add_up() -> None:
    settings = reading(
        "postgresql://db?application_name=x&jit=on", server_settings={"jit": "off"}
    ).request.driver_options
    assert settings["server_settings"] == {"application_name": "x", "jit": "off"}


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_password_is_a_string(scheme: str) -> None:
    with pytest.raises(ConfigurationError, match="password must be a string, not int"):
        reading(f"{scheme}://db", password=5)
    assert "hunter2" not in repr(vars(reading(f"{scheme}://db", password="hunter2").request))


def test_only_asyncpg_calls_a_password() -> None:
    with pytest.raises(ConfigurationError, match="password: aiomysql does not call a function; pass a string"):
        reading("mysql://db", password=lambda: "x")


def test_a_port_of_a_list_of_hosts_is_not_used_for_another_host() -> None:
    request = reading("postgresql://a:1,b:2/shop", host="c").request
    assert (request.host, request.port, request.alternates) == ("c", 5432, ())


@pytest.mark.parametrize("field", ["user", "database"])
def test_half_a_character_is_refused(field: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{field} must be a non-empty string in valid Unicode"):
        Options().read("postgresql://db", {field: "a\ud800"})
