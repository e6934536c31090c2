"""What the server refuses, and for which reason; what is refused here before anything is sent."""

import re
import subprocess
import sys
from typing import Any

import aiomysql
import psycopg
import pytest

import aws_iam_async
from aws_iam_async import (
    AwsIamError,
    ConfigurationError,
    CredentialsError,
    InsecureTransportError,
    RegionError,
)
from aws_iam_async.testing import CertificateKind, Reason
from tests.credentials.conftest import AwsHome
from tests.login.conftest import Rds


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"user": "somebody"}, Reason.WRONG_USER),
        ({"iam_region": "eu-west-1"}, Reason.WRONG_REGION),
        ({"iam_default_port": 5433}, Reason.WRONG_PORT),
    ],
)
async def test_the_emulator_refuses_for_that_very_reason(rds: Rds, options: dict[str, Any], reason: Reason) -> None:
    if "user" in options:
        # The client logs in as another user than the one in the token. Only a plugin can do that.
        class Impostor:
            async def connect(self, request: Any, call_next: Any) -> Any:
                return await call_next(request.replace(user="app"))

        options = {"plugins": ["iam", Impostor()], **options}
    with pytest.raises(rds.refusal):
        await rds.connect(**options)
    assert [login.reason for login in rds.emulator.logins] == [reason]


async def test_a_login_without_a_plugin_that_logs_in_is_explained(rds: Rds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "wrong")  # else asyncpg looks for a file, which blocks
    options: dict[str, Any] = {"plugins": "role", "role": "writer", "ssl": "require"}
    with pytest.raises(rds.refusal) as refused:
        await aws_iam_async.connect(rds.dsn, **options)
    note = "Neither an option nor a plugin set a password. To log in with IAM, add 'iam' to plugins="
    assert refused.value.__notes__ == [note]
    with pytest.raises(rds.refusal) as refused:
        await aws_iam_async.connect(rds.dsn, password="wrong", **options)
    assert not hasattr(refused.value, "__notes__")


async def test_a_wrong_region_is_named_beside_the_hosts_own(rds: Rds) -> None:
    with pytest.raises(rds.refusal) as refused:
        await rds.connect(iam_region="eu-west-1")
    assert "By its name the host is in us-east-1: omit iam_region" in "\n".join(refused.value.__notes__)
    rds.emulator.faults.reject_next(2)  # the credentials are cached by now, so there is a second attempt
    with pytest.raises(rds.refusal) as refused:
        await rds.connect()
    assert "By its name" not in "\n".join(refused.value.__notes__)


async def test_a_user_who_is_not_set_up_for_iam_gets_no_hash_of_the_token(rds: Rds) -> None:
    rds.emulator.faults.password_users = {"app"}
    # PostgreSQL requests a proof of the password. MySQL with mysql_native_password did so in its greeting.
    expected = rds.refusal if rds.driver == "aiomysql" else InsecureTransportError
    with pytest.raises(expected, match="app"):
        await rds.connect()
    assert [login.reason for login in rds.emulator.logins] == [Reason.NOT_FOR_IAM]


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        (
            CertificateKind.UNTRUSTED,
            r"authorities in '.*\.pem' \(sslrootcert\) are trusted. .* us-east-1, .* cover: omit",
        ),
        (CertificateKind.OTHER_HOST, "pass iam_host="),
    ],
)
async def test_a_certificate_that_is_not_accepted_is_explained(rds: Rds, kind: CertificateKind, advice: str) -> None:
    rds.emulator.faults.certificate = kind
    with pytest.raises((OSError, aiomysql.OperationalError, psycopg.OperationalError)) as refused:
        await rds.connect()
    (note,) = refused.value.__notes__
    assert re.search(advice, note)
    assert "aws-iam-async check" in note
    assert rds.emulator.logins == []


async def test_a_token_for_another_host_is_refused(rds: Rds) -> None:
    class Dial:
        """Signed for one cluster, dialled and verified as another."""

        async def connect(self, request: Any, call_next: Any) -> Any:
            return await call_next(request.replace(tls=request.tls.secured(rds.emulator.host)))

    other = "other.cluster-c9akciq32.us-east-1.rds.amazonaws.com"
    with pytest.raises(rds.refusal):
        await rds.connect(plugins=["iam", Dial()], iam_host=other)
    assert [login.reason for login in rds.emulator.logins] == [Reason.WRONG_HOST]


@pytest.mark.parametrize(
    ("options", "error", "hint"),
    [
        ({"iam_host": None}, ConfigurationError, "iam_host"),
        ({"iam_host": "shop.global-c9akciq32.global.rds.amazonaws.com"}, RegionError, "iam_region"),
        ({"user": ""}, ConfigurationError, "user"),
        ({"iamRegion": "x"}, ConfigurationError, "did you mean iam_region"),
        ({"ssl": False}, ConfigurationError, "ssl"),
        ({"ssl": "prefer"}, ConfigurationError, "prefer"),
        ({"sslrootcert": "no-such-file.pem"}, ConfigurationError, "no-such-file.pem"),
        ({"plugins": "iam,nonsense"}, ConfigurationError, "nonsense"),
        ({"driver": "oracledb"}, ConfigurationError, "oracledb"),
        ({"profile": "nobody"}, AwsIamError, "nobody"),
    ],
)
async def test_wrong_options_never_reach_the_server(
    rds: Rds, options: dict[str, Any], error: type[Exception], hint: str
) -> None:
    with pytest.raises(error, match=hint):
        await rds.connect(**options)
    if "profile" not in options:
        with pytest.raises(error, match=hint):
            await rds.create_pool(0, 1, **options)
    assert rds.emulator.logins == []
    assert rds.emulator.connections == 0


async def test_no_credentials(rds: Rds, aws_home: AwsHome) -> None:
    aws_home.environ.delenv("AWS_ACCESS_KEY_ID")
    aws_home.environ.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(CredentialsError, match="AWS_ACCESS_KEY_ID"):
        await rds.connect()
    assert rds.emulator.connections == 0


async def test_a_server_without_tls_gets_no_token(rds: Rds) -> None:
    rds.emulator.faults.offer_tls = False
    with pytest.raises(aws_iam_async.InsecureTransportError, match="no TLS"):
        await rds.connect()
    assert rds.emulator.logins == []


WITHOUT_DRIVER = """if True:
    import asyncio, sys
    name, scheme = sys.argv[1:]
    sys.modules[name] = None  # as if it were not installed
    import aws_iam_async
    try:
        asyncio.run(aws_iam_async.connect(f"{scheme}://app@x.c9akciq32.us-east-1.rds.amazonaws.com/shop"))
    except ImportError as error:
        print(isinstance(error, aws_iam_async.ConfigurationError), error)
"""


@pytest.mark.parametrize(("name", "scheme"), [("aiomysql", "mysql"), ("asyncpg", "postgresql")])
def test_a_missing_driver_names_the_extra(name: str, scheme: str) -> None:
    command = [sys.executable, "-c", WITHOUT_DRIVER, name, scheme]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.startswith("True ")
    assert f"aws-iam-async[{name}]" in ran.stdout
