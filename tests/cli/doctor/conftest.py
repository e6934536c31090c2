"""The doctor at work, in this process: ``check --json`` as the program runs it, and its report read back."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from click.testing import CliRunner, Result

from aws_iam_async.cli.main import program as the_program
from aws_iam_async.testing import AccessKey, Emulator
from tests.cli.doctor import sts_double
from tests.credentials.conftest import AwsHome, aws_home

__all__ = ["Doctor", "Report", "aws_home", "doctor", "endpoint", "mysql", "postgresql", "sts"]


@dataclass
class Report:
    """What ``check --json`` printed."""

    exit_code: int
    steps: dict[str, dict[str, Any]]

    def status(self, step: str) -> str:
        return str(self.steps[step]["status"])

    def detail(self, step: str) -> str:
        return str(self.steps[step]["detail"])

    def causes(self, step: str) -> list[str]:
        return [advice["cause"] for advice in self.steps[step]["advice"]]

    def advice(self, step: str, cause: str) -> str:
        """The text and the code for a cause."""
        (advice,) = (advice for advice in self.steps[step]["advice"] if advice["cause"] == cause)
        return "\n".join(filter(None, (advice["text"], advice["code"])))

    @property
    def failed(self) -> list[str]:
        return [name for name, step in self.steps.items() if step["status"] == "failed"]

    @property
    def warned(self) -> list[str]:
        return [name for name, step in self.steps.items() if step["status"] == "warning"]


@dataclass
class Doctor:
    """Runs ``check``, and sees to it that no run ever shows a secret.

    Attributes:
        secrets: Texts that must not be shown.
        driver: The driver that DSNs name in their schemes; "" leaves it to the default.
    """

    home: AwsHome
    driver: str = ""
    secrets: list[str] = field(default_factory=lambda: ["X-Amz-Signature="])

    def use(self, key: AccessKey) -> AccessKey:
        """Put a key into the environment."""
        self.home.set(AWS_ACCESS_KEY_ID=key.access_key, AWS_SECRET_ACCESS_KEY=key.secret_key)
        if key.session_token is not None:
            self.home.set(AWS_SESSION_TOKEN=key.session_token)
        self.secrets += [str(secret) for secret in (key.secret_key, key.session_token) if secret]
        return key

    def run(self, *arguments: str) -> Result:
        result = CliRunner().invoke(the_program, ["check", *arguments], catch_exceptions=False)
        assert [secret for secret in self.secrets if secret in result.output] == []
        return result

    def check(self, *arguments: str, sts: bool = False) -> Report:
        """Run it with ``--json``.

        Args:
            arguments: The DSN and options.
            sts: Whether STS may be asked.
        """
        result = self.run(*arguments, "--json", *([] if sts else ["--no-sts"]))
        assert result.stderr == ""
        document = json.loads(result.stdout)
        steps = {step["name"]: step for step in document["steps"]}
        assert document["ok"] is (result.exit_code == 0)
        assert result.exit_code in {0, 1}
        assert (document["cause"] is None) is document["ok"]
        return Report(result.exit_code, steps)

    def examine(self, emulator: Emulator, *more: str, user: str = "app", sts: bool = False) -> Report:
        """Check a database of the emulator, with all that it needs for a login; ``more`` wins."""
        return self.check(*self.arguments(emulator, *more, user=user), sts=sts)

    def arguments(self, emulator: Emulator, *more: str, user: str = "app", database: str = "shop") -> list[str]:
        options = {
            "--iam-host": emulator.host,
            "--iam-default-port": str(emulator.port),
            "--sslrootcert": str(emulator.ca_file),
        }
        pairs = [word for pair in options.items() for word in pair]
        dsn = emulator.dsn(user, database)
        return [dsn.replace("://", f"+{self.driver}://") if self.driver else dsn, *pairs, *more]


@pytest.fixture
def doctor(aws_home: AwsHome) -> Doctor:
    return Doctor(aws_home)


@pytest.fixture
def postgresql(rds_postgres: Emulator, doctor: Doctor) -> Emulator:
    """A PostgreSQL endpoint, with an access key that it knows in the environment."""
    doctor.use(rds_postgres.account.create_access_key())
    return rds_postgres


@pytest.fixture
def mysql(rds_mysql: Emulator, doctor: Doctor) -> Emulator:
    """A MySQL endpoint, with an access key that it knows in the environment."""
    doctor.use(rds_mysql.account.create_access_key())
    return rds_mysql


@pytest.fixture(params=["asyncpg", "aiomysql", "psycopg"])
def endpoint(request: pytest.FixtureRequest, doctor: Doctor) -> Emulator:
    """The endpoint of each driver in turn."""
    doctor.driver = request.param
    emulator: Emulator = request.getfixturevalue("mysql" if request.param == "aiomysql" else "postgresql")
    return emulator


@pytest.fixture
def sts(aws_home: AwsHome) -> Iterator[sts_double.Sts]:
    """An STS that answers the doctor's question."""
    with sts_double.serving() as double:
        aws_home.set(AWS_ENDPOINT_URL_STS=double.url)
        yield double
