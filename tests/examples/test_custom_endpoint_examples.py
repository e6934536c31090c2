"""The samples for custom endpoints: an IP address is dialled, its RDS name is signed for and verified."""

import pytest

from aws_iam_async.testing import CertificateKind, Emulator, Reason
from tests.examples.conftest import Run, credentials

PROGRAMS = {"postgresql": "postgresql_custom_endpoint.py", "mysql": "mysql_custom_endpoint.py"}


@pytest.fixture(params=["postgresql", "mysql"])
def emulator(request: pytest.FixtureRequest) -> Emulator:
    found: Emulator = request.getfixturevalue({"postgresql": "rds_postgres", "mysql": "rds_mysql"}[request.param])
    return found


def arguments(emulator: Emulator, **changed: str) -> list[str]:
    options = {
        "host": "127.0.0.1",
        "port": str(emulator.port),
        "user": "app",
        "database": "shop",
        "iam-host": emulator.host,
        "iam-region": "us-east-1",
        "cluster-instance-host-pattern": "?.c9akciq32.us-east-1.rds.amazonaws.com",
        "ca-file": str(emulator.ca_file),
    }
    return [f"--{name}={value}" for name, value in (options | changed).items()]


async def test_logged_in_through_an_ip_address(emulator: Emulator, run: Run) -> None:
    program = PROGRAMS[emulator.upstream.protocol]
    ran = await run(program, *arguments(emulator), environment=credentials(emulator))
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith("Logged in as app")
    assert " to shop: " in ran.out
    assert [login.accepted for login in emulator.logins] == [True]


async def test_options_from_the_environment(emulator: Emulator, run: Run) -> None:
    program = PROGRAMS[emulator.upstream.protocol]
    environment = credentials(emulator)
    for option in arguments(emulator):
        name, _, value = option.removeprefix("--").partition("=")
        environment["DB_" + name.upper().replace("-", "_")] = value
    ran = await run(program, environment=environment)
    assert (ran.status, ran.err) == (0, "")


async def test_a_wrong_option_is_named(emulator: Emulator, run: Run) -> None:
    program = PROGRAMS[emulator.upstream.protocol]
    wrong = {"cluster-instance-host-pattern": "c9akciq32.us-east-1.rds.amazonaws.com"}
    ran = await run(program, *arguments(emulator, **wrong), environment=credentials(emulator))
    assert ran.status == 1
    assert ran.err.startswith("ConfigurationError: cluster_instance_host_pattern must contain exactly one '?'")
    assert "Traceback" not in ran.err
    assert emulator.logins == []


async def test_a_refused_login_says_what_to_check(emulator: Emulator, run: Run) -> None:
    program = PROGRAMS[emulator.upstream.protocol]
    wrong = {"iam-region": "us-west-2"}
    ran = await run(program, *arguments(emulator, **wrong), environment=credentials(emulator))
    assert ran.status == 1
    # What comes behind may be a ResourceWarning: asyncpg 0.32 leaves the socket of a refused login to the loop.
    assert ran.err.startswith(("Login refused: PAM authentication failed", "Cannot connect: (1045, "))
    assert "in us-west-2 with access key ASIA" in ran.err
    assert [login.reason for login in emulator.logins] == [Reason.WRONG_REGION]


async def test_another_servers_certificate_is_refused(emulator: Emulator, run: Run) -> None:
    program = PROGRAMS[emulator.upstream.protocol]
    emulator.faults.certificate = CertificateKind.OTHER_HOST
    ran = await run(program, *arguments(emulator), environment=credentials(emulator))
    assert ran.status == 1
    assert ran.err.startswith("Cannot connect")
    assert "Hostname mismatch" in ran.err
    assert "Traceback" not in ran.err
    assert emulator.logins == []
