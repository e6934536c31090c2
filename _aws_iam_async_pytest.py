"""Fixtures for tests that log in to databases with IAM; pytest finds them by itself where this package is installed.

pytest imports this module in every run on such a machine, whether or not a test asks for a fixture. Hence it stands
beside the package, so that it does not bring the package in, and the fixtures import what they need.

The emulators and the servers behind them start once per session, when a test first asks for one.
"""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from aws_iam_async.testing import AccessKey, Account, Emulator

_started: "pytest.StashKey[list[Emulator]]" = pytest.StashKey()


@pytest.fixture(scope="session")
def rds_account() -> "Account":
    """The made-up AWS account that both emulators trust; ``create_access_key()`` gives further credentials."""
    from aws_iam_async.testing import Account  # noqa: PLC0415 - see the module's docstring

    return Account()


@pytest.fixture
def rds_environment(rds_account: "Account", monkeypatch: pytest.MonkeyPatch) -> "AccessKey":
    """An access key of the account in this process's environment, for services that look for credentials there."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in rds_account.access_key.environment.items():
        monkeypatch.setenv(name, value)
    return rds_account.access_key


@pytest.fixture(scope="session")
def rds_postgres(rds_account: "Account", pytestconfig: pytest.Config) -> Iterator["Emulator"]:
    """An RDS endpoint with PostgreSQL, user ``app`` and database ``shop``; faults and records are one test's own."""
    from aws_iam_async.testing import Emulator, PostgresServer  # noqa: PLC0415 - see the module's docstring

    with PostgresServer() as server, Emulator(server, account=rds_account) as emulator:
        server.create_user("app")
        server.create_database("shop", owner="app")
        with _renewed_for_each_test(emulator, pytestconfig):
            yield emulator


@pytest.fixture(scope="session")
def rds_mysql(rds_account: "Account", pytestconfig: pytest.Config) -> Iterator["Emulator"]:
    """An RDS endpoint with MariaDB, user ``app`` and database ``shop``; faults and records are one test's own."""
    from aws_iam_async.testing import Emulator, MariadbServer  # noqa: PLC0415 - see the module's docstring

    with MariadbServer() as server, Emulator(server, account=rds_account) as emulator:
        server.create_user("app")
        server.create_database("shop", owner="app")
        with _renewed_for_each_test(emulator, pytestconfig):
            yield emulator


@contextlib.contextmanager
def _renewed_for_each_test(emulator: "Emulator", config: pytest.Config) -> Iterator[None]:
    started = config.stash.setdefault(_started, [])
    started.append(emulator)
    yield
    started.remove(emulator)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Put faults, records and revoked keys back.

    Before a test rather than after it: what the last one left behind in the background may still come in. And not in a
    fixture of one test's length, which pools and engines that live for a session could not ask for.
    """
    for emulator in item.config.stash.get(_started, ()):
        emulator.reset()
        emulator.account.restore()
