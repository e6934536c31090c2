"""Pytest fixtures for tests that connect to databases with IAM tokens.

Where this package is installed, pytest loads this module by entry point in every run, even if no test uses a fixture.
Importing it must therefore load no AWS SDK, driver, certificate library or database server. The fixtures import late:
they use the names of ``aws_iam_async.testing``, each of which is imported on first use.

Emulators and their servers start once per session, with the first test that uses them.
"""

import contextlib
from collections.abc import Iterator

import pytest

from aws_iam_async import testing
from aws_iam_async.testing.account import CREDENTIALS_VARIABLES

_running_emulators: pytest.StashKey[list["testing.Emulator"]] = pytest.StashKey()


@pytest.fixture(scope="session")
def rds_account() -> "testing.Account":
    """The fictitious AWS account that ``rds_postgres`` and ``rds_mysql`` share. Session scope.

    Returns:
        The account. Use ``create_access_key()`` for more access keys and ``revoke()`` to make the emulators refuse one.
        Revoked keys are restored before each test.
    """
    return testing.Account()


@pytest.fixture
def rds_environment(rds_account: "testing.Account", monkeypatch: pytest.MonkeyPatch) -> "testing.AccessKey":
    """Put an access key into the environment variables of this process. Function scope.

    Use it for services that read AWS credentials from the environment. All other variables that decide on the
    credentials are unset, such as ``AWS_PROFILE``. The previous environment is back after the test.

    Returns:
        The access key, which is ``rds_account.access_key``.
    """
    for name in CREDENTIALS_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in rds_account.access_key.environment.items():
        monkeypatch.setenv(name, value)
    return rds_account.access_key


@pytest.fixture(scope="session")
def rds_postgres(rds_account: "testing.Account", pytestconfig: pytest.Config) -> Iterator["testing.Emulator"]:
    """An RDS endpoint with PostgreSQL, user ``app`` and database ``shop``. Session scope.

    Faults, login records and the clock are reset before each test. Tables and rows are not.

    Yields:
        The running emulator.

    Raises:
        ModuleNotFoundError: The extra ``testing`` is not installed.
        RuntimeError: PostgreSQL is not installed or does not start.
    """
    with testing.PostgresServer() as server, testing.Emulator(server, account=rds_account) as emulator:
        server.create_user("app")
        server.create_database("shop", owner="app")
        with _reset_before_each_test(emulator, pytestconfig):
            yield emulator


@pytest.fixture(scope="session")
def rds_mysql(rds_account: "testing.Account", pytestconfig: pytest.Config) -> Iterator["testing.Emulator"]:
    """An RDS endpoint with MariaDB, user ``app`` and database ``shop``. Session scope.

    Faults, login records and the clock are reset before each test. Tables and rows are not.

    Yields:
        The running emulator.

    Raises:
        ModuleNotFoundError: The extra ``testing`` is not installed.
        RuntimeError: MariaDB is not installed or does not start.
    """
    with testing.MariadbServer() as server, testing.Emulator(server, account=rds_account) as emulator:
        server.create_user("app")
        server.create_database("shop", owner="app")
        with _reset_before_each_test(emulator, pytestconfig):
            yield emulator


@contextlib.contextmanager
def _reset_before_each_test(emulator: "testing.Emulator", config: pytest.Config) -> Iterator[None]:
    emulators = config.stash.setdefault(_running_emulators, [])
    emulators.append(emulator)
    yield
    emulators.remove(emulator)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Reset the emulators of this session and restore revoked keys.

    The reset precedes a test, because background work of the last test may still have used the emulator after its end.
    It is a hook, because a fixture with function scope is not available to pools and engines with session scope.
    """
    for emulator in item.config.stash.get(_running_emulators, ()):
        emulator.reset()
        emulator.account.restore()
