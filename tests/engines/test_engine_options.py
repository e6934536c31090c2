import re
import subprocess
import sys
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import create_async_engine as create_plain_engine

from aws_iam_async import ConfigurationError, ConnectNext, ConnectRequest, PluginManager, PluginNotFoundError
from aws_iam_async.sqlalchemy import arm, create_async_engine

POSTGRESQL = "postgresql+asyncpg://app@shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com/shop"
PSYCOPG = POSTGRESQL.replace("asyncpg", "psycopg")
MYSQL = "mysql+aiomysql://app@shop.c9akciq32.us-east-1.rds.amazonaws.com/shop"


@pytest.mark.parametrize(
    ("url", "name", "answer"),
    [
        (
            POSTGRESQL,
            "iamRegion",
            "'iamRegion' for an engine with driver asyncpg: did you mean iam_region?",
        ),
        (
            POSTGRESQL,
            "iam_regoin",
            "'iam_regoin' for an engine with driver asyncpg: did you mean iam_region?",
        ),
        (MYSQL, "poolsize", "unknown option 'poolsize' for an engine with driver aiomysql: did you mean pool_size?"),
        (
            POSTGRESQL,
            "pool_preping",
            "'pool_preping' for an engine with driver asyncpg: did you mean pool_pre_ping?",
        ),
        (POSTGRESQL, "max_size", "'max_size' for an engine with driver asyncpg: did you mean pool_size?"),
        (POSTGRESQL, "role", "for an engine with driver asyncpg: it needs the plugin 'role' in plugins="),
        (MYSQL, "max_connection_lifetime", "for an engine with driver aiomysql: did you mean pool_recycle?"),
        (MYSQL, "user", "user is an option of aiomysql, not of the engine: pass connect_args="),
        (MYSQL, "init_command", "init_command is an option of aiomysql, not of the engine: pass connect_"),
        (
            POSTGRESQL,
            "server_settings",
            "server_settings is an option of asyncpg, not of the engine: pass connect_",
        ),
        (POSTGRESQL, "async_creator", "async_creator: the engine connects through the plugins"),
        (POSTGRESQL, "pool", "pool: the engine connects through the plugins"),
    ],
)
def test_a_wrong_option_is_answered_with_the_right_one(url: str, name: str, answer: str) -> None:
    options: dict[str, Any] = {name: "anything"}
    with pytest.raises(ConfigurationError, match=re.escape(answer)):
        create_async_engine(url, **options)


def test_what_resembles_nothing_is_refused_by_sqlalchemy() -> None:
    with pytest.raises(TypeError, match=r"Invalid argument\(s\) 'xyzzy'"):
        create_async_engine(POSTGRESQL, xyzzy=1)


def test_a_setting_of_the_server_is_told_its_place() -> None:
    with pytest.raises(TypeError, match="Invalid argument") as refused:
        create_async_engine(POSTGRESQL, application_name="till")
    advice = "If it is a setting of the server, pass connect_args=dict(server_settings={'application_name': ...})."
    assert refused.value.__notes__ == [advice]


@pytest.mark.parametrize("url", [None, 5])
def test_what_is_no_url_is_refused(url: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^dsn "):
        create_async_engine(url)


def test_options_of_one_dialect_alone_are_sqlalchemys_to_judge() -> None:
    engine = create_async_engine(POSTGRESQL, native_inet_types=False, pool_size=7, echo=False)
    assert engine.pool.size() == 7  # type: ignore[attr-defined]  # a queue pool has it, others do not


@pytest.mark.parametrize("drivername", ["postgresql", "postgresql+psycopg2", "mysql+asyncmy", "sqlite+aiosqlite"])
def test_the_url_of_another_driver_is_refused(drivername: str) -> None:
    with pytest.raises(
        ConfigurationError, match=re.escape(f"the URL is for {drivername!r}; available: postgresql+asyncpg")
    ):
        create_async_engine(POSTGRESQL.replace("postgresql+asyncpg", drivername))


@pytest.mark.parametrize("manager", [1, "iam", PluginManager])
def test_a_manager_of_another_type_is_refused(manager: Any) -> None:
    refused = pytest.raises(ConfigurationError, match=f"^manager must be a PluginManager, not {type(manager).__name__}")
    with refused:
        create_async_engine(POSTGRESQL, manager=manager)
    with refused:
        arm(create_plain_engine(POSTGRESQL), manager=manager)


def test_plugins_and_a_manager_exclude_each_other() -> None:
    with pytest.raises(ConfigurationError, match="plugins and manager exclude each other"):
        create_async_engine(POSTGRESQL, plugins="iam", manager=PluginManager())


def test_an_unknown_plugin_is_refused() -> None:
    with pytest.raises(PluginNotFoundError, match="unknown plugin 'geo'; available: iam, otel"):
        create_async_engine(POSTGRESQL, plugins="geo,iam")


def test_a_misspelt_plugin_is_told_the_right_code() -> None:
    with pytest.raises(PluginNotFoundError, match=r"unknown plugin 'iamm'; did you mean 'iam'\? Available: iam, otel"):
        create_async_engine(POSTGRESQL, plugins="iamm")


def test_options_of_the_engine_come_too_late_for_arming() -> None:
    with pytest.raises(ConfigurationError, match="unknown option 'pool_size'"):
        arm(create_plain_engine(POSTGRESQL), pool_size=3)


def test_sqlalchemy_may_use_the_arguments_of_one_connect_for_the_next() -> None:
    # As versions before 2.0.43 do.
    dialect = create_async_engine(POSTGRESQL).dialect
    arguments: dict[str, Any] = {}
    for _ in range(2):
        for listener in dialect.dispatch.do_connect:
            listener(dialect, None, (), arguments)
    assert arguments.keys() == {"async_creator_fn"}


@pytest.mark.parametrize("url", [f"{MYSQL}?ssl_ca=bundle.pem", MYSQL])
async def test_the_mysql_way_of_naming_certificates_is_answered_with_ours(url: str) -> None:
    arguments = {} if "ssl_ca" in url else {"ssl": {"ca": "bundle.pem"}}
    with pytest.raises(ConfigurationError, match=r"(ssl_ca.*did you mean|path of a file as) sslrootcert"):
        await create_async_engine(url, connect_args=arguments).connect()


@pytest.mark.parametrize(
    ("url", "name", "answer"),
    [
        (
            POSTGRESQL,
            "max_connection_lifetime",
            "of asyncpg's pool, and the engine has its own: did you mean pool_recycle?",
        ),
        (
            PSYCOPG,
            "max_connection_lifetime",
            "of psycopg's pool, and the engine has its own: did you mean pool_recycle?",
        ),
        (
            MYSQL,
            "max_connection_lifetime",
            "of aiomysql's pool, and the engine has its own: did you mean pool_recycle?",
        ),
        (PSYCOPG, "timeout", "of psycopg's pool, and the engine has its own: did you mean connect_timeout?"),
        (POSTGRESQL, "max_size", "of asyncpg's pool, and the engine has its own: did you mean pool_size?"),
        (POSTGRESQL, "pool_recycle", "pool_recycle is an option of the engine, not of asyncpg: pass it to the engine"),
        (MYSQL, "pool_recycle", "pool_recycle is an option of the engine, not of aiomysql: pass it to the engine"),
    ],
)
async def test_an_option_of_a_pool_in_connect_args(url: str, name: str, answer: str) -> None:
    engine = create_async_engine(url, connect_args={name: 600})
    with pytest.raises(ConfigurationError, match=re.escape(answer)):
        await engine.connect()


async def test_an_option_of_the_drivers_pool_that_the_engine_lacks() -> None:
    engine = create_async_engine(POSTGRESQL, connect_args={"max_queries": 600})
    with pytest.raises(
        ConfigurationError, match=r"max_queries is an option of asyncpg's pool, and the engine has its own$"
    ):
        await engine.connect()


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("timeout", "dsn: timeout cannot be set there; pass it as a keyword (or in connect_args)"),
        ("max_connection_lifetime", "dsn: max_connection_lifetime cannot be set there; pass it as a keyword"),
        ("plugins", "dsn: plugins cannot be set there; pass it as a keyword"),
    ],
)
async def test_an_option_in_the_url_that_must_be_a_keyword(name: str, answer: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{re.escape(answer)}$"):
        await create_async_engine(f"{POSTGRESQL}?{name}=5").connect()


async def test_none_in_connect_args_reaches_the_driver() -> None:
    """For asyncpg ``timeout=None`` is "no limit", not "not given"."""
    seen: list[Any] = []

    class Seeing:
        async def connect(self, request: ConnectRequest, _call_next: ConnectNext) -> Any:
            seen.append(dict(request.driver_options))
            raise LookupError

    engine = create_async_engine(POSTGRESQL, plugins=[Seeing()], connect_args={"timeout": None})
    with pytest.raises(LookupError):
        await engine.connect()
    assert seen == [{"timeout": None}]


async def test_a_misspelt_option_in_the_url_is_refused_before_any_network_traffic() -> None:
    engine = create_async_engine(f"{POSTGRESQL}?iam_regoin=us-east-1")
    with pytest.raises(ConfigurationError, match="did you mean iam_region"):
        await engine.connect()


@pytest.mark.parametrize(
    ("missing", "extra"), [("sqlalchemy", "sqlalchemy"), ("asyncpg", "asyncpg"), ("aiomysql", "aiomysql")]
)
def test_what_is_not_installed_is_named_with_its_extra(missing: str, extra: str) -> None:
    program = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from aws_iam_async.sqlalchemy import create_async_engine\n"
        f"for url in {[POSTGRESQL, MYSQL]}: create_async_engine(url)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert f"pip install 'aws-iam-async[{extra}]'" in ran.stderr.splitlines()[-1]
