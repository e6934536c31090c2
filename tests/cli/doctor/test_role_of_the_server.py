"""The doctor shows whether the server is a writer or a reader, and compares it with the role in the DSN."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest

from aws_iam_async import drivers
from aws_iam_async.testing import Emulator, MariadbCluster, PostgresCluster
from tests.cli.doctor.conftest import Doctor


class Names(NamedTuple):
    writer: Emulator
    reader: Emulator


@contextmanager
def running(cluster: PostgresCluster | MariadbCluster) -> Iterator[Names]:
    with cluster, Emulator(cluster.writer) as writer, Emulator(cluster.reader, account=writer.account) as reader:
        cluster.create_user("app")
        cluster.create_database("shop", owner="app")
        yield Names(writer, reader)


@pytest.fixture(scope="module")
def postgres_cluster() -> Iterator[Names]:
    with running(PostgresCluster()) as names:
        yield names


@pytest.fixture(scope="module")
def mariadb_cluster() -> Iterator[Names]:
    with running(MariadbCluster()) as names:
        yield names


@pytest.fixture(params=["asyncpg", "psycopg", "aiomysql"])
def names(request: pytest.FixtureRequest, doctor: Doctor) -> Names:
    """The writer and the reader of a cluster, for each driver."""
    doctor.driver = request.param
    kind = "mariadb_cluster" if request.param == "aiomysql" else "postgres_cluster"
    names: Names = request.getfixturevalue(kind)
    doctor.use(names.writer.account.create_access_key())
    return names


def with_role(doctor: Doctor, emulator: Emulator, role: str) -> list[str]:
    dsn, *others = doctor.arguments(emulator)
    return [f"{dsn}?role={role}", *others]


def test_the_role_is_shown(doctor: Doctor, names: Names) -> None:
    for emulator, role in ((names.writer, "writer"), (names.reader, "reader")):
        report = doctor.examine(emulator)
        assert report.exit_code == 0
        assert report.detail("server") == role


def test_the_role_that_is_wanted_is_no_problem(doctor: Doctor, names: Names) -> None:
    for emulator, role in ((names.writer, "writer"), (names.reader, "reader")):
        report = doctor.check(*with_role(doctor, emulator, role))
        assert (report.exit_code, report.status("server")) == (0, "passed")


def test_another_role_is_the_certain_cause(doctor: Doctor, names: Names) -> None:
    report = doctor.check(*with_role(doctor, names.reader, "writer"))
    assert report.failed == ["server"]
    assert report.detail("server") == "reader, not a writer"
    assert report.causes("server") == ["wrong-server"]
    assert report.status("query") == "passed"


def test_a_wrong_role_is_refused_by_its_name(doctor: Doctor, mariadb_cluster: Names) -> None:
    doctor.driver = "aiomysql"
    doctor.use(mariadb_cluster.writer.account.create_access_key())
    report = doctor.check(*with_role(doctor, mariadb_cluster.writer, "master"))
    assert "role must be 'writer' or 'reader'" in report.detail("options")


def test_a_role_that_cannot_be_asked_fails_nothing(
    doctor: Doctor, endpoint: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_connection: object) -> str:
        raise OSError("permission denied")

    monkeypatch.setattr(drivers.load_now(doctor.driver), "server_role", refuse)
    report = doctor.examine(endpoint)
    assert report.exit_code == 0
    assert report.detail("server") == "the role is unknown: permission denied"
