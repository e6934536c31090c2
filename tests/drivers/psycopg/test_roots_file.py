"""The PEM file with which libpq verifies servers is complete, up to date, shared, and not writable for other users."""

import asyncio
import os
import re
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from aws_iam_async.tls import RDS_CA_BUNDLE, Tls
from aws_iam_async.tls.roots import root_file

pytestmark = pytest.mark.usefixtures("cache", "system")

SHOW = """
import asyncio, os, pathlib, shutil, sys, threading
from aws_iam_async import ConfigurationError
from aws_iam_async.tls import Tls
from aws_iam_async.tls.roots import root_file

def made():
    return asyncio.run(root_file(Tls()))
"""


def process(job: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", SHOW + job], stdout=subprocess.PIPE, text=True)


def output(job: str) -> list[str]:
    """What a process of its own prints: the file is made once in a process."""
    with process(job) as running:
        lines = running.communicate(timeout=60)[0].splitlines()
    assert running.returncode == 0
    return lines


def made() -> Path:
    return Path(*output("print(made())"))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return folder


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's authorities: one of them."""
    first = re.search("-----BEGIN.*?-----END CERTIFICATE-----\n", Path(RDS_CA_BUNDLE).read_text(), re.DOTALL)
    assert first
    file = tmp_path / "system.pem"
    file.write_text(first[0])
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return file


def test_both_sources_are_in_it(cache: Path, system: Path) -> None:
    file = made()
    assert file.parent == cache / "aws_iam_async"
    assert file.read_bytes() == Path(RDS_CA_BUNDLE).read_bytes() + b"\n" + system.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    ssl.create_default_context(cafile=file)


def test_the_callers_own_file_is_left_alone(cache: Path) -> None:
    assert asyncio.run(root_file(Tls(root_cert="mine.pem"))) == "mine.pem"
    assert asyncio.run(root_file(Tls(root_cert="system"))) == "system"
    assert not cache.exists()


def test_without_a_file_of_the_system_its_folder_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "authorities"
    folder.mkdir()
    (folder / "one.pem").write_text("# one\n")
    (folder / "0123abcd.0").symlink_to("one.pem")
    (folder / "gone.0").symlink_to("gone.pem")
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file")
    monkeypatch.setenv("SSL_CERT_DIR", str(folder))
    assert made().read_text().count("# one\n") == 1


def test_the_next_process_follows_changes(system: Path) -> None:
    first = made()
    system.write_text("# changed, and longer\n" + system.read_text())
    second = made()
    assert second != first
    assert "# changed" in second.read_text()


@pytest.mark.parametrize("change", ["write_text(text)", "with_name('new').write_text(text); new.replace(system)"])
def test_a_process_that_runs_on_follows_changes(system: Path, change: str) -> None:
    """They are written, or replaced as by update-ca-certificates."""
    changed = f"""
first, system = made(), pathlib.Path({str(system)!r})
text, new = "# changed, and longer" + system.read_text(), system.with_name("new")
system.{change}
second = made()
print(first != second == made(), "# changed" in pathlib.Path(second).read_text())
"""
    assert output(changed) == ["True True"]


def test_only_the_first_connection_starts_a_thread() -> None:
    started = """
start = threading.Thread.start
threading.Thread.start = lambda thread: print(thread.name) or start(thread)
print(made() == made() == made())
"""
    assert output(started) == ["aws_iam_async root certificates", "True"]


def test_what_is_deleted_is_made_again(cache: Path) -> None:
    deleted = f"""
first = made()
content = pathlib.Path(first).read_bytes()
shutil.rmtree({str(cache)!r})
print(made() == first, pathlib.Path(first).read_bytes() == content)
"""
    assert output(deleted) == ["True True"]


def test_a_daemon_that_has_closed_all_descriptors_finds_it() -> None:
    daemon = """
first = made()
os.closerange(3, 100)
print(made() == first == made())
"""
    assert output(daemon) == ["True"]


def test_a_daemon_that_opens_other_files_in_their_place_finds_it(cache: Path) -> None:
    daemon = f"""
first = made()
os.closerange(3, 100)
others = [os.open(os.__file__, os.O_RDONLY) for _ in range(20)]
shutil.rmtree({str(cache)!r})
print(made() == first, os.path.exists(first))
"""
    assert output(daemon) == ["True True"]


def test_a_file_that_was_changed_is_replaced() -> None:
    file = made()
    content = file.read_bytes()
    file.write_text("# somebody else's authority\n")
    assert made() == file
    assert file.read_bytes() == content


def test_processes_share_one_file(cache: Path) -> None:
    running = [process("print(made())") for _ in range(6)]
    told = {one.communicate(timeout=60)[0].strip() for one in running}
    assert told == {str(file) for file in (cache / "aws_iam_async").iterdir()}
    assert len(told) == 1


def test_a_forked_child_finds_it() -> None:
    forked = """
before = made()
child = os.fork()
after = made()
os._exit(before != after) if child == 0 else print(os.waitpid(child, 0)[1], before == after)
"""
    assert output(forked) == ["0 True"]


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_can_write_to_is_not_used(cache: Path, mode: int) -> None:
    folder = cache / "aws_iam_async"
    folder.mkdir(parents=True)
    folder.chmod(mode)
    file = made()
    assert folder not in file.parents
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_not_used(cache: Path) -> None:
    folder = cache / "aws_iam_async"
    folder.mkdir(parents=True)
    os.chown(folder, 12345, 12345)
    assert folder not in made().parents
    assert list(folder.iterdir()) == []


def test_a_link_is_not_followed(cache: Path, tmp_path: Path) -> None:
    """Another user may have placed it, in a folder for all."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    cache.mkdir()
    (cache / "aws_iam_async").symlink_to(elsewhere)
    made()
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("folder", ["/proc/no/such/place", "/dev/null/x", "a file"])
def test_without_a_cache_it_is_in_a_temporary_folder(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    folder: str,
) -> None:
    (tmp_path / "a file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / folder))
    file = made()
    assert tmp_path in file.parents
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert made() == file


def test_processes_without_a_cache_share_a_folder_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that is started every minute must not fill the disk."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/x")
    told = {made() for _ in range(2)}
    assert len(told) == 1
    assert all(file.is_relative_to(tmp_path) for file in told)


def test_a_relative_cache_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The specification of XDG_CACHE_HOME says so; the file would be elsewhere after a chdir()."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert made().is_absolute()
    assert not (tmp_path / "relative").exists()


def test_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    no_home = """
def home():
    raise RuntimeError("Could not determine home directory.")

pathlib.Path.home = home
print(pathlib.Path(made()).is_file())
"""
    assert output(no_home) == ["True"]


def test_no_place_at_all_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/x")
    no_place = """
import tempfile
tempfile.tempdir = "/dev/null/x"
try:
    made()
except ConfigurationError as error:
    print(error)
"""
    (message,) = output(no_place)
    assert "pass sslrootcert=" in message
