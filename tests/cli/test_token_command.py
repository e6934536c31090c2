"""``token`` prints a token that logs other clients in."""

import ssl
from collections.abc import Iterator

import asyncpg
import pytest

from aws_iam_async.testing import Emulator
from tests.cli.conftest import Program
from tests.cli.doctor import sts_double
from tests.cli.doctor.sts_double import Sts

RDS_DSN = "postgresql://app@shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com/shop"
EXAMPLE_KEY = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "example"}


@pytest.fixture
def sts() -> Iterator[Sts]:
    with sts_double.serving() as double:
        yield double


async def test_a_server_accepts_it(program: Program, rds_postgres: Emulator) -> None:
    key = rds_postgres.account.create_access_key()
    done = program.run(
        "token",
        f"{rds_postgres.dsn('app', 'shop')}?iam_host={rds_postgres.host}",
        environment={"AWS_ACCESS_KEY_ID": key.access_key, "AWS_SECRET_ACCESS_KEY": key.secret_key},
    )
    assert (done.returncode, done.stderr) == (0, "")
    token = done.stdout.removesuffix("\n")
    context = ssl.create_default_context(cafile=rds_postgres.ca_file)
    context.check_hostname = False
    connection = await asyncpg.connect(rds_postgres.dsn("app", "shop"), password=token, ssl=context)
    try:
        assert await connection.fetchval("SELECT current_user") == "app"
    finally:
        await connection.close()


def test_it_is_signed_by_a_role(program: Program, sts: Sts, rds_postgres: Emulator) -> None:
    sts.role_key = rds_postgres.account.create_access_key(session=True)
    options = ("--role-arn", "arn:aws:iam::123456789012:role/app", "--external-id", "shop:12")
    done = program.run("token", RDS_DSN, *options, environment=EXAMPLE_KEY | {"AWS_ENDPOINT_URL_STS": sts.url})
    assert (done.returncode, done.stderr) == (0, "")
    assert f"X-Amz-Credential={sts.role_key.access_key}%2F" in done.stdout
    assert sts.asked == ["AKIAIOSFODNN7EXAMPLE"]
    sts.refused_role = ("AccessDenied", "User: arn:aws:iam::210987654321:user/deploy may not")
    done = program.run("token", RDS_DSN, *options, environment=EXAMPLE_KEY | {"AWS_ENDPOINT_URL_STS": sts.url})
    assert (done.returncode, done.stdout) == (1, "")
    assert "user/deploy may not" in done.stderr
    assert "trust policy" in done.stderr


def test_nothing_but_the_token_is_on_stdout(program: Program) -> None:
    done = program.run("token", RDS_DSN, environment=EXAMPLE_KEY)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1
    assert done.stdout.startswith("shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com:5432/?Action=connect&DBUser=app&")


def test_the_role_of_a_server_is_no_concern_of_a_token(program: Program) -> None:
    done = program.run("token", f"{RDS_DSN}?role=writer", environment=EXAMPLE_KEY)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com:5432/?")


def test_mysql_has_its_own_port(program: Program) -> None:
    done = program.run("token", RDS_DSN.replace("postgresql", "mysql"), environment=EXAMPLE_KEY)
    assert done.stdout.startswith("shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com:3306/?")


@pytest.mark.parametrize(
    ("scheme", "driver"), [("postgresql", "asyncpg"), ("postgresql+psycopg", "psycopg"), ("mysql", "aiomysql")]
)
def test_it_needs_no_driver(program: Program, scheme: str, driver: str) -> None:
    # Options of the driver are no concern of a token's.
    options = {
        "asyncpg": "application_name=shop&sslnegotiation=direct",
        "psycopg": "options=-csearch_path%3Dshop&sslnegotiation=direct&sslcert=client.pem&sslsni=1",
        "aiomysql": "charset=utf8mb4&sql_mode=ANSI",
    }
    dsn = f"{RDS_DSN.replace('postgresql', scheme)}?{options[driver]}"
    preparation = "; ".join(f"sys.modules[{module!r}] = None" for module in (driver, "pymysql"))
    done = program.run("token", dsn, environment=EXAMPLE_KEY, preparation=preparation)
    assert (done.returncode, done.stderr) == (0, "")
    assert "/?Action=connect&DBUser=app&" in done.stdout


def test_the_environment_variables_of_postgresql_are_read(program: Program) -> None:
    variables = {"PGHOST": "shop.c9akciq32.us-east-1.rds.amazonaws.com", "PGPORT": "5433", "PGUSER": "ann"}
    done = program.run("token", "postgresql:///shop", environment=EXAMPLE_KEY | variables)
    assert done.stdout.startswith("shop.c9akciq32.us-east-1.rds.amazonaws.com:5433/?Action=connect&DBUser=ann&")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((RDS_DSN,), "or pass --profile"),
        ((RDS_DSN, "--profile", "nobody"), "profile 'nobody' is not in the shared AWS files"),
        (("postgresql://app@db.example/shop",), "pass --iam-host with the endpoint"),
        (
            (RDS_DSN, "--host", "10.0.3.7", "--iam-host", "db.example"),
            "'db.example' does not contain a region",
        ),
        (
            (RDS_DSN, "--iam-host", "shop.global-c9akciq32.global.rds.amazonaws.com"),
            "pass --iam-region, for example --iam-region us-",
        ),
        (("not a DSN",), "dsn is empty or has no scheme"),
        ((f"{RDS_DSN}?iamRegion=us-east-1",), "did you mean iam_region?"),
        ((f"{RDS_DSN}?sslmode=disable",), "plaintext"),
        (("oracle://app@db.example/shop",), "unknown scheme 'oracle'"),
        ((RDS_DSN, "--role-arn", "app"), "role_arn must be the ARN of an IAM role"),
        ((RDS_DSN, "--external-id", "shop:12"), "external_id needs role_arn: pass --role-arn as well"),
        ((RDS_DSN, "--driver", "aiomysql"), "contradicts the DSN's scheme"),
        ((RDS_DSN, "--driver", "aiomysql"), "omit --driver, or write a DSN that begins with mysql://"),
    ],
)
def test_what_stops_it_is_said_on_stderr(program: Program, arguments: tuple[str, ...], complaint: str) -> None:
    done = program.run("token", *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("aws-iam-async token: ")
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("user", "action"), [("admin", "DbConnectAdmin"), ("app", "DbConnect")])
def test_aurora_dsql_has_its_own_kind(program: Program, user: str, action: str) -> None:
    host = "foo0bar1baz2quux3quuux4abc.dsql.us-east-1.on.aws"
    done = program.run("token", f"postgresql://{user}@{host}/postgres", environment=EXAMPLE_KEY)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{host}/?Action={action}&X-Amz-Algorithm=")
    done = program.run("token", f"mysql://{user}@{host}/postgres", environment=EXAMPLE_KEY)
    assert done.returncode != 0
    assert "postgresql://" in done.stderr
    done = program.run("token", f"postgresql://{user}@{host}/", "--iam-default-port", "5432", environment=EXAMPLE_KEY)
    assert done.returncode != 0
    assert "iam_default_port: " in done.stderr
