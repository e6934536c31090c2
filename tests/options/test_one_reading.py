"""What is written in the same way is read in the same way: by ``connect()``, ``create_pool()`` and an engine."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import aws_iam_async
from aws_iam_async import ConfigurationError, ConnectNext, ConnectRequest
from aws_iam_async.sqlalchemy import create_async_engine

HOST = "shop.c9akciq32.us-east-1.rds.amazonaws.com"
PG = "postgresql+asyncpg://app@"
FOUND_ROWS = 2  # SQLAlchemy's own flag


class SeenError(Exception):
    """Ends an attempt before anything is dialled."""


class Witness:
    """Takes the options of plugin ``iam``, and keeps the requests."""

    option_names = frozenset({"iam_region", "iam_host", "profile", "credentials", "role_arn", "external_id"})

    def __init__(self) -> None:
        self.requests: list[ConnectRequest] = []

    async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:
        del call_next  # dials
        self.requests.append(request)
        raise SeenError


async def by_connect(dsn: str, plugin: Witness, **options: Any) -> None:
    await aws_iam_async.connect(dsn, plugins=[plugin], **options)


async def by_pool(dsn: str, plugin: Witness, **options: Any) -> None:
    await aws_iam_async.create_pool(dsn, plugins=[plugin], **options)


async def by_engine(dsn: str, plugin: Witness, **options: Any) -> None:
    await create_async_engine(dsn, plugins=[plugin], connect_args=options).connect()


WAYS = [by_connect, by_pool, by_engine]
Way = Callable[..., Awaitable[None]]


async def read(way: Way, dsn: str, **options: Any) -> dict[str, Any]:
    witness = Witness()
    with pytest.raises(SeenError):
        await way(dsn, witness, **options)
    seen = witness.requests[0]
    driver_options = dict(seen.driver_options)
    if driver_options.get("client_flag") == FOUND_ROWS:
        del driver_options["client_flag"]
    return {
        "place": (seen.host, seen.port),
        "alternates": seen.alternates,
        "user": seen.user,
        "database": seen.database,
        "tls": (seen.tls.mode, seen.tls.root_cert),
        "options": dict(seen.options),
        "driver": driver_options,
    }


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGPORT", "PGUSER", "PGDATABASE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("application_name=till", {"driver": {"server_settings": {"application_name": "till"}}}),
        ("search_path=sales&iam_region=eu-west-1", {"options": {"iam_region": "eu-west-1"}}),
        ("sslmode=verify-ca&sslrootcert=ca.pem", {"tls": ("verify-ca", "ca.pem")}),
        ("ssl=true", {"tls": ("verify-full", None)}),
        ("ssl=TRUE&sslrootcert=system", {"tls": ("verify-full", "system")}),
        ("sslrootcert=system", {"tls": ("verify-full", "system")}),
        ("sslnegotiation=direct", {"driver": {"direct_tls": True}}),
        ("target_session_attrs=any", {"driver": {"target_session_attrs": "any"}}),
    ],
)
async def test_the_query_of_a_postgresql_dsn(way: Way, query: str, expected: dict[str, Any]) -> None:
    found = await read(way, f"{PG}{HOST}/shop?{query}")
    assert found | expected == found
    assert found["place"] == (HOST, 5432)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("scheme", ["mysql+aiomysql", "mariadb+aiomysql"])
async def test_the_query_of_a_mysql_dsn(way: Way, scheme: str) -> None:
    dsn = f"{scheme}://app@{HOST}/shop?connect_timeout=5&autocommit=true&client_flag=8&ssl=true&sslrootcert=ca.pem"
    found = await read(way, dsn)
    assert found["driver"].pop("client_flag") & 8
    assert found["driver"] == {"connect_timeout": 5.0, "autocommit": True}
    assert found["tls"] == ("verify-full", "ca.pem")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("dsn", "places"),
    [
        (
            PG + "/shop?host=a.example,b.example&port=1,5433",
            [("a.example", 1), ("b.example", 5433)],
        ),
        (PG + "/shop?host=a.example,b.example", [("a.example", 5432), ("b.example", 5432)]),
        (
            PG + "/shop?host=a.example,b.example&port=6000",
            [("a.example", 6000), ("b.example", 6000)],
        ),
        (PG + "/shop?host=a.example:1,b.example:2", [("a.example", 1), ("b.example", 2)]),
        (PG + "/shop?host=a.example:1&host=b.example:2", [("a.example", 1), ("b.example", 2)]),
        (PG + "a.example:1,b.example:2/shop", [("a.example", 1), ("b.example", 2)]),
        (PG + "a.example,b.example:2/shop?port=7", [("a.example", 7), ("b.example", 2)]),
        (PG + "/shop?host=a.example:5433", [("a.example", 5433)]),
        (PG + "/shop?host=a.example&port=5433", [("a.example", 5433)]),
        (PG + "a.example/shop?port=5433", [("a.example", 5433)]),
        (PG + "/shop?host=::1,b.example&port=1,2", [("::1", 1), ("b.example", 2)]),
        (PG + "[::1]:1/shop", [("::1", 1)]),
        ("mysql+aiomysql://app@/shop?host=a.example&port=3307", [("a.example", 3307)]),
        (f"\n {PG}{HOST}/shop\r\n", [(HOST, 5432)]),
    ],
)
async def test_hosts_and_ports(way: Way, dsn: str, places: list[tuple[str, int]]) -> None:
    found = await read(way, dsn)
    # An engine's own way through the hosts goes through a plugin once for each of them.
    assert [found["place"], *found["alternates"]][: len(places)] in (places, places[:1])
    assert (found["user"], found["database"]) == ("app", "shop")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("scheme", ["postgresql+asyncpg", "mysql+aiomysql"])
@pytest.mark.parametrize("word", [{"ssl": "verify-full"}, {"sslmode": "verify-full"}, {"ssl": True}])
async def test_a_keyword_for_tls_uses_the_root_certificate_of_the_dsn(
    way: Way, scheme: str, word: dict[str, Any]
) -> None:
    found = await read(way, f"{scheme}://app@{HOST}/shop?sslmode=require&sslrootcert=ca.pem", **word)
    assert found["tls"] == ("verify-full", "ca.pem")


SECRETS = [
    "awsSecretAccessKey",
    "aws_secret_access_key",
    "AWS_SESSION_TOKEN",
    "aws-access-key-id",
    "aws.secretAccessKey",
    "accessKeyId",
    "secret",
    "mySecret",
    "x.client_secret",
    "apiToken",
    "token",
    "web_identity_token_file",
    "credential_process",
    "pwd",
    "user_pwd",
    "passwd",
    "dbPassword",
    "roleArn",
    "externalId",
    "region",
    "region_name",
    "awsRegion",
    "rds_region",
    "api_key",
    "sslcompression",
    "iamToken",
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("scheme", ["postgresql+asyncpg", "mysql+aiomysql"])
@pytest.mark.parametrize("name", SECRETS)
async def test_names_for_aws_and_of_secrets_are_refused_in_a_dsn(way: Way, scheme: str, name: str) -> None:
    witness = Witness()
    with pytest.raises(ConfigurationError, match=f"unknown option '{name}'.*did you mean") as refused:
        await way(f"{scheme}://app@{HOST}/shop?{name}=hunter2", witness)
    assert "hunter2" not in str(refused.value)
    assert witness.requests == []


@pytest.mark.parametrize("way", [by_connect, by_pool])
@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
async def test_they_are_refused_without_plugins_too(way: Way, scheme: str) -> None:
    class Plain(Witness):
        option_names = frozenset()

    with pytest.raises(ConfigurationError, match=r"'awsSecretAccessKey' for .*: it may be a secret"):
        await way(f"{scheme}://app@{HOST}/shop?awsSecretAccessKey=hunter2", Plain())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", SECRETS)
async def test_names_for_aws_and_of_secrets_are_no_settings(way: Way, name: str) -> None:
    witness = Witness()
    with pytest.raises(ConfigurationError, match=f"'{name}' in server_settings.*did you mean") as refused:
        await way(f"{PG}{HOST}/shop", witness, server_settings={name: "hunter2"})
    assert "hunter2" not in str(refused.value)
    assert witness.requests == []


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["password", "user", "credentials", "profile", "sslmode", "timeout"])
async def test_options_are_no_settings(way: Way, name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"server_settings: '{name}' is no setting of the server; pass it as"):
        await way(f"{PG}{HOST}/shop", Witness(), server_settings={name: "hunter2"})


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["app.region", "app.role_id", "ssl.mode", "iam.tenant", "role", "password_encryption"])
async def test_other_names_remain_settings(way: Way, name: str) -> None:
    found = await read(way, f"{PG}{HOST}/shop?{name}=1", server_settings={"jit": "off"})
    assert found["driver"] == {"server_settings": {name: "1", "jit": "off"}}


@pytest.mark.parametrize("way", [by_connect, by_pool])
@pytest.mark.parametrize("driver", ["asyncpg", "aiomysql"])
@pytest.mark.parametrize("name", SECRETS)
async def test_names_for_aws_and_of_secrets_are_refused_as_keywords(way: Way, driver: str, name: str) -> None:
    scheme = {"asyncpg": "postgresql", "aiomysql": "mysql"}[driver]
    with pytest.raises(ConfigurationError, match=f"unknown option '{name}' for driver {driver}.*did you mean"):
        await way(f"{scheme}://app@{HOST}/shop", Witness(), **{name: "hunter2"})


@pytest.mark.parametrize("name", SECRETS)
def test_names_for_aws_and_of_secrets_are_refused_by_a_manager(name: str) -> None:
    options: dict[str, Any] = {name: "hunter2"}
    with pytest.raises(ConfigurationError, match=f"unknown option '{name}' for a PluginManager"):
        aws_iam_async.PluginManager(**options)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("dsn", "hint"),
    [
        (PG + "db/shop?connect_timeout=10", "did you mean timeout.*as a keyword"),
        (
            PG + "db/shop?statement_cache_size=0",
            "pass it as a keyword .or in connect_args",
        ),
        (PG + "db/shop?wrapperPlugins=iam", "did you mean plugins.*as a keyword"),
        (PG + "db/shop?service=prod", "service files are not read"),
        (PG + "db/shop?dbname=other", "database is given before and after"),
        (PG + "db?dbname=one&database=other", "dbname and database are two names of one option"),
        ("mysql+aiomysql://app@db?db=one&database=other", "db and database are two names of one option"),
        ("mysql+aiomysql://app@db/shop?db=other", "database is given before and after"),
        (PG + "db/shop?user=other", "user is given before and after"),
        ("postgresql+asyncpg://app:x@db/shop?password=other", "password is given before and after"),
        (PG + "db/shop?host=other", "host is given before and after"),
        (PG + "db:1/shop?port=2", "port is given with the host and as port="),
        (PG + "a:1,b/shop?port=1,2", "port is given with the host and as port="),
        (PG + "a,b/shop?port=1,2,3", "3 ports for 2 hosts"),
        (PG + "db/shop?sslmode=VERIFY_IDENTITY", "did you mean 'verify-full'"),
        ("mysql+aiomysql://app@db/shop?ssl-mode=VERIFY_IDENTITY", "did you mean sslmode"),
        ("mysql+aiomysql://app@db/shop?sslmode=REQUIRED", "did you mean 'require'"),
        ("mysql+aiomysql://app@db/shop?ssl_ca=ca.pem", "did you mean sslrootcert"),
        (PG + "db/shop?sslmode=require&sslrootcert=system", "needs sslmode 'verify-full'"),
        ("", "empty"),
        ("  ", "empty"),
        pytest.param(f"{PG}db/shop?max_size=3", "pass it as a keyword", id="of asyncpg's pool"),
        ("host=db port=5432 dbname=shop password=hunter2", "key=value pairs"),
    ],
)
async def test_what_is_wrong_is_answered_in_one_error(way: Way, dsn: str, hint: str) -> None:
    with pytest.raises(ConfigurationError, match=hint) as refused:
        await way(dsn, Witness())
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("way", [by_connect, by_pool])
@pytest.mark.parametrize(
    ("dsn", "keyword", "hint"),
    [
        (
            "postgresql://db",
            "application_name",
            "if it is a setting of the server, pass server_settings={'application_name'",
        ),
        ("postgresql://db", "statement_timeout", "if it is a setting of the server, pass server_settings="),
        ("mysql://db", "application_name", "did you mean program_name"),
        ("mysql://db", "wait_timeout", "if it is a setting of the server, pass init_command='SET wait_timeout = ...'"),
        ("mysql://db", "server_settings", "pass settings of the server as init_command='SET name = value'"),
        ("postgresql://db", "service", "service files are not read"),
        ("postgresql://db", "connect_timeout", "did you mean timeout"),
        (
            "postgresql://db",
            "lock_timeout",
            "Or if it is a setting of the server, pass server_settings={'lock_timeout'",
        ),
    ],
)
async def test_keywords_are_answered_in_the_drivers_terms(way: Way, dsn: str, keyword: str, hint: str) -> None:
    with pytest.raises(ConfigurationError, match=hint):
        await way(dsn, Witness(), **{keyword: "x"})


@pytest.mark.parametrize(("dsn", "meant"), [("postgresql://db", "max_size"), ("mysql://db", "maxsize")])
async def test_sqlalchemys_pool_size_is_answered_with_the_drivers_name(dsn: str, meant: str) -> None:
    with pytest.raises(ConfigurationError, match=f"did you mean {meant}"):
        await by_pool(dsn, Witness(), pool_size=5)


@pytest.mark.parametrize("way", [by_connect, by_pool])
@pytest.mark.parametrize(
    ("dsn", "options"),
    [
        ("mysql://db", {"db": "one", "database": "other"}),
        ("mysql://db", {"database": "other", "db": "one"}),
        ("postgresql://db", {"dbname": "one", "database": "other"}),
    ],
)
async def test_two_names_of_one_option_are_refused_in_one_layer(way: Way, dsn: str, options: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="two names of one option; pass one of them"):
        await way(dsn, Witness(), **options)


async def test_a_name_wins_over_another_name_in_a_later_layer() -> None:
    assert (await read(by_connect, "mysql://db/one", db="two"))["database"] == "two"
    assert (await read(by_connect, "postgresql://db?dbname=one", database="two"))["database"] == "two"
    assert (await read(by_connect, "mysql://db", db=None, database="two"))["database"] == "two"
