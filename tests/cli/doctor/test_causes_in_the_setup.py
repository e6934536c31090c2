"""Causes that show before anything is sent: drivers, options, what is signed for."""

import json
import socket
from typing import Any

import pytest

from aws_iam_async.testing import Emulator, Reason
from tests.cli.conftest import Program, program
from tests.cli.doctor.conftest import Doctor

__all__ = ["program"]

ENDPOINT = "shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com"


@pytest.mark.parametrize(
    ("driver", "scheme"),
    [("asyncpg", "postgresql"), ("aiomysql", "mysql"), ("psycopg", "postgresql+psycopg")],
)
def test_a_driver_that_is_not_installed(program: Program, driver: str, scheme: str) -> None:
    done = program.run(
        "check", f"{scheme}://app@{ENDPOINT}/shop", "--json", preparation=f"sys.modules[{driver!r}] = None"
    )
    assert (done.returncode, done.stderr) == (1, "")
    first, *others = json.loads(done.stdout)["steps"]
    assert (first["name"], first["status"]) == ("driver", "failed")
    (advice,) = first["advice"]
    assert (advice["cause"], advice["code"]) == ("driver-not-installed", f"pip install 'aws-iam-async[{driver}]'")
    assert {step["status"] for step in others} == {"not-reached"}


@pytest.mark.parametrize(
    ("dsn", "step", "complaint"),
    [
        ("oracle://app@db/shop", "driver", "unknown scheme 'oracle'"),
        ("not a DSN", "driver", "no scheme"),
        (f"postgresql://app@{ENDPOINT}/shop?iamRegion=us-east-1", "options", "did you mean iam_region?"),
        (f"mysql://app@{ENDPOINT}/shop?conect_timeout=1", "options", "did you mean connect_timeout?"),
        (f"postgresql://app@{ENDPOINT}/shop?sslmode=disable", "options", "plaintext"),
        (f"postgresql+psycopg://app@{ENDPOINT}/shop?sslmode=disable", "options", "plaintext"),
        (f"postgresql+psycopg://app@{ENDPOINT}/shop?service=shop", "options", "service: "),
        (f"postgresql+psycopg://app@{ENDPOINT}/shop?autocommit=true", "options", "autocommit cannot be set there"),
        (f"postgresql://{ENDPOINT}/shop", "options", "user is missing"),
        ("postgresql://app@/shop?host=/var/run/postgresql", "endpoint", "Unix socket"),
        (f"postgresql://app@{ENDPOINT}/shop?iam_default_port=mysql", "options", "iam_default_port"),
        (f"mysql://app@{ENDPOINT}/shop?role=master", "options", "role must be 'writer' or 'reader'"),
        (f"postgresql://app@{ENDPOINT}/shop?role=reader&target_session_attrs=primary", "options", "contradicts"),
        (f"postgresql://app@{ENDPOINT}/shop?use_iam_auth=true", "options", "did you mean plugins="),
        (f"postgresql://app@{ENDPOINT}/shop?sslrootcert=/none.pem", "options", "'/none.pem' cannot be read"),
        (f"postgresql://app@{ENDPOINT}/shop?iam_default_port=99999", "options", "iam_default_port"),
    ],
)
def test_a_wrong_option_is_named(doctor: Doctor, dsn: str, step: str, complaint: str) -> None:
    report = doctor.check(dsn)
    assert report.failed[0] == step
    assert complaint in report.detail(step)
    assert report.causes(step) == ["configuration"]


def test_a_missing_user_is_named(doctor: Doctor) -> None:
    report = doctor.check(f"postgresql://{ENDPOINT}")
    assert "--user NAME" in report.advice("options", "configuration")
    report = doctor.check(f"postgresql://{ENDPOINT}", "--user", "app")
    assert report.detail("options") == "user app, sslmode verify-full"


@pytest.mark.parametrize("places", ["one.example,two.example/shop", "/shop?host=one.example,two.example&port=1,2"])
def test_several_hosts_are_checked_one_at_a_time(doctor: Doctor, places: str) -> None:
    report = doctor.check(f"postgresql://app@{places}")
    assert report.causes("options") == ["several-hosts"]
    report = doctor.check("postgresql://app@one.example,two.example/shop", "--host", "one.example")
    assert report.status("options") == "passed"


def test_a_password_is_ignored_with_a_warning(doctor: Doctor, postgresql: Emulator) -> None:
    doctor.secrets.append("PASSWORD-MARK")
    dsn = postgresql.dsn("app", "shop").replace("app@", "app:PASSWORD-MARK@")
    report = doctor.check(dsn, *doctor.arguments(postgresql)[1:])
    assert report.exit_code == 0
    assert report.causes("options") == ["password-ignored"]


def test_tls_that_is_not_verified_is_warned_of(doctor: Doctor, postgresql: Emulator) -> None:
    dsn, *options = doctor.arguments(postgresql)
    report = doctor.check(dsn, *options[:-2], "--sslmode", "require")
    assert report.exit_code == 0
    assert report.causes("options") == ["not-verified"]
    assert "NOT verified" in report.detail("tls")


@pytest.fixture
def aliases(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Canonical names by name, in a resolver that knows nothing else."""
    names: dict[str, str] = {}

    def getaddrinfo(host: Any, port: Any, *_: Any, **__: Any) -> list[Any]:
        if host not in names:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, names[host], ("127.0.0.1", port or 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return names


def test_iam_host_missing_for_an_alias_is_answered_with_the_endpoint(
    doctor: Doctor, postgresql: Emulator, aliases: dict[str, str]
) -> None:
    aliases["db.example.com"] = postgresql.host
    dsn = postgresql.dsn("app", "shop").replace("127.0.0.1", "db.example.com")
    report = doctor.check(dsn)
    assert report.failed == ["endpoint"]
    assert f"--iam-host {postgresql.host}" in report.advice("endpoint", "iam-host-missing")
    assert report.status("dns") == "not-reached"


@pytest.mark.parametrize("host", ["127.0.0.1", "db.example.com"])
def test_iam_host_missing_for_an_address_or_an_unknown_name(
    doctor: Doctor, postgresql: Emulator, aliases: dict[str, str], host: str
) -> None:
    report = doctor.check(postgresql.dsn("app", "shop").replace("127.0.0.1", host))
    assert aliases == {}
    assert report.failed == ["endpoint"]
    assert "pass --iam-host with the endpoint" in report.detail("endpoint")
    assert "--iam-host NAME.XYZ.REGION.rds.amazonaws.com" in report.advice("endpoint", "iam-host-missing")


def test_an_alias_that_is_looked_up_need_not_be_named(
    doctor: Doctor, postgresql: Emulator, aliases: dict[str, str]
) -> None:
    aliases |= {"db.example.com": postgresql.host, postgresql.host: postgresql.host}
    dsn = postgresql.dsn("app", "shop").replace("127.0.0.1", "db.example.com")
    report = doctor.check(dsn, "--iam-host", "auto", "--sslrootcert", str(postgresql.ca_file))
    assert report.exit_code == 0
    assert postgresql.host in report.detail("dns")
    del aliases["db.example.com"]
    assert doctor.check(dsn, "--iam-host", "auto").causes("endpoint") == ["dns"]


def test_a_name_that_rds_does_not_have_is_suspected(doctor: Doctor, postgresql: Emulator) -> None:
    dsn, *options = doctor.arguments(postgresql, "--iam-region", "us-east-1", "--iam-host", "db.example.com")
    report = doctor.check(dsn, *options)
    assert report.causes("endpoint") == ["not-an-rds-endpoint"]
    assert report.failed == ["tls"]  # the certificate is the endpoint's own
    assert f"--iam-host {postgresql.host}" in report.advice("tls", "tls-name")


def test_a_region_that_nothing_says(doctor: Doctor, postgresql: Emulator) -> None:
    report = doctor.examine(postgresql, "--iam-host", "shop.global-c9akciq32.global.rds.amazonaws.com")
    assert report.failed == ["region"]
    assert "pass --iam-region" in report.detail("region")
    assert report.causes("region") == ["region-missing"]
    assert report.status("tcp") == "passed"


def test_what_is_no_region(doctor: Doctor, postgresql: Emulator) -> None:
    report = doctor.examine(postgresql, "--iam-region", "us-east1")
    assert report.failed == ["region"]
    assert report.causes("region") == ["region-malformed"]


def test_a_wrong_region(doctor: Doctor, postgresql: Emulator) -> None:
    report = doctor.examine(postgresql, "--iam-region", "eu-west-1")
    assert postgresql.logins[0].reason is Reason.WRONG_REGION
    assert report.causes("region") == ["wrong-region"]
    assert report.failed == ["login"]
    assert report.causes("login") == ["wrong-region"]
    assert "--iam-region us-east-1" in report.advice("login", "wrong-region")


def test_a_tunnel_whose_port_was_signed_for(doctor: Doctor, postgresql: Emulator) -> None:
    with Emulator(postgresql.upstream, account=postgresql.account, signed_port=5432) as tunnel:
        options = ("--iam-host", tunnel.host, "--sslrootcert", str(tunnel.ca_file))
        report = doctor.check(tunnel.dsn("app", "shop"), *options)
        assert tunnel.logins[0].reason is Reason.WRONG_PORT
        assert report.causes("login")[0] == "tunnel-port"
        assert "--iam-default-port 5432" in report.advice("login", "tunnel-port")
        assert doctor.check(tunnel.dsn("app", "shop"), *options, "--iam-default-port", "5432").exit_code == 0
        # The tunnel may well be right, so a wrong port that was given comes after the usual causes.
        report = doctor.check(tunnel.dsn("app", "shop"), *options, "--iam-default-port", "5433")
        assert tunnel.logins[-1].reason is Reason.WRONG_PORT
        assert report.causes("login") == ["missing-policy", "not-granted", "tunnel-port"]
        ports = f"signed for port 5433, and port {tunnel.port} is dialled"
        assert ports in report.advice("login", "tunnel-port")


def test_another_port_than_the_endpoints_own_was_signed_for(
    doctor: Doctor, postgresql: Emulator, aliases: dict[str, str]
) -> None:
    aliases[postgresql.host] = postgresql.host
    dsn = postgresql.dsn("app", "shop").replace("127.0.0.1", postgresql.host)
    report = doctor.check(dsn, "--sslrootcert", str(postgresql.ca_file), "--iam-default-port", "5432")
    assert postgresql.logins[0].reason is Reason.WRONG_PORT
    assert report.causes("login") == ["signed-port"]
    assert f"--iam-default-port {postgresql.port}" in report.advice("login", "signed-port")
    report = doctor.check(dsn, "--sslrootcert", str(postgresql.ca_file))
    assert report.exit_code == 0


def test_a_host_of_another_database_is_no_alias(doctor: Doctor) -> None:
    report = doctor.check("postgresql://app@w.c9akciq32xyz.us-east-1.redshift.amazonaws.com/shop")
    assert "is a host of Redshift" in report.detail("endpoint")
    assert "iam-host-missing" not in report.causes("endpoint")
