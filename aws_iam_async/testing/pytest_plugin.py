"""Fixtures for tests that log in to databases with IAM; pytest finds them by itself.

The emulators and the servers behind them start once per session, when a test first asks for one. pytest imports this
module in every run, so what it needs is imported by the fixtures that need it.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from aws_iam_async.testing import Account, Emulator


@pytest.fixture(scope="session")
def rds_account() -> "Account":
    """The made-up AWS account that both emulators trust; ``create_access_key()`` gives credentials."""
    from aws_iam_async.testing import Account  # noqa: PLC0415 - see the module's docstring

    return Account()


@pytest.fixture(scope="session")
def _rds_postgres_session(rds_account: "Account") -> Iterator["Emulator"]:
    from aws_iam_async.testing import Emulator, PostgresServer  # noqa: PLC0415 - see the module's docstring

    with PostgresServer() as server, Emulator(server, account=rds_account) as emulator:
        server.create_user("app")
        server.create_database("shop", owner="app")
        yield emulator


@pytest.fixture(scope="session")
def _rds_mysql_session(rds_account: "Account") -> Iterator["Emulator"]:
    from aws_iam_async.testing import Emulator, MariadbServer  # noqa: PLC0415 - see the module's docstring

    with MariadbServer() as server, Emulator(server, account=rds_account) as emulator:
        server.create_user("app")
        server.create_database("shop", owner="app")
        yield emulator


@pytest.fixture
def rds_postgres(_rds_postgres_session: "Emulator") -> "Emulator":
    """An RDS endpoint with PostgreSQL, user ``app`` and database ``shop``; faults and records are one test's own."""
    return _for_one_test(_rds_postgres_session)


@pytest.fixture
def rds_mysql(_rds_mysql_session: "Emulator") -> "Emulator":
    """An RDS endpoint with MariaDB, user ``app`` and database ``shop``; faults and records are one test's own."""
    return _for_one_test(_rds_mysql_session)


def _for_one_test(emulator: "Emulator") -> "Emulator":
    # Before a test rather than after it: what the last one left behind in the background may still come in.
    emulator.reset()
    emulator.account.restore()
    return emulator
