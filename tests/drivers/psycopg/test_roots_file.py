"""The PEM file that libpq verifies servers with: complete, up to date, shared, and nobody else can write to it."""

import asyncio
import os
import re
import shutil
import ssl
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from aws_iam_async import ConfigurationError
from aws_iam_async.tls import RDS_CA_BUNDLE, Tls, roots
from aws_iam_async.tls.roots import root_file

pytestmark = pytest.mark.usefixtures("cache", "system")

SHOW = "import asyncio; from aws_iam_async.tls import Tls, roots; print(asyncio.run(roots.root_file(Tls())))"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
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


@pytest.fixture
def made() -> Callable[[], Path]:
    def made() -> Path:
        return Path(asyncio.run(root_file(Tls())))

    return made


def test_both_sources_are_in_it(cache: Path, system: Path, made: Callable[[], Path]) -> None:
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


def test_without_a_file_of_the_system_its_folder_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: Callable[[], Path]
) -> None:
    folder = tmp_path / "authorities"
    folder.mkdir()
    (folder / "one.pem").write_text("# one\n")
    (folder / "0123abcd.0").symlink_to("one.pem")
    (folder / "gone.0").symlink_to("gone.pem")
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file")
    monkeypatch.setenv("SSL_CERT_DIR", str(folder))
    assert (made()).read_text().count("# one\n") == 1


def test_a_process_that_runs_on_follows_changes(
    system: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: Callable[[], Path]
) -> None:
    first = made()
    assert made() == first
    system.write_text("# changed, and longer\n" + system.read_text())
    second = made()
    assert second != first
    assert "# changed" in second.read_text()
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("# another bundle\n")
    monkeypatch.setattr(roots, "RDS_CA_BUNDLE", str(bundle))
    assert "# another bundle" in (made()).read_text()


def test_what_is_deleted_is_made_again(cache: Path, made: Callable[[], Path]) -> None:
    file = made()
    content = file.read_bytes()
    shutil.rmtree(cache)
    assert (made()).read_bytes() == content


def test_a_file_that_was_changed_is_replaced(made: Callable[[], Path]) -> None:
    file = made()
    content = file.read_bytes()
    file.write_text("# somebody else's authority\n")
    ran = subprocess.run([sys.executable, "-c", SHOW], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.strip() == str(file)
    assert file.read_bytes() == content


def test_processes_share_one_file(
    cache: Path,
) -> None:
    running = [subprocess.Popen([sys.executable, "-c", SHOW], stdout=subprocess.PIPE, text=True) for _ in range(6)]
    told = {process.communicate(timeout=60)[0].strip() for process in running}
    assert told == {str(file) for file in (cache / "aws_iam_async").iterdir()}
    assert len(told) == 1


def test_a_forked_child_finds_it() -> None:
    job = (
        "import asyncio, os; from aws_iam_async.tls import Tls, roots\n"
        "make = lambda: asyncio.run(roots.root_file(Tls()))\n"
        "before = make(); child = os.fork(); after = make();"
        "os._exit(before != after) if child == 0 else print(os.waitpid(child, 0)[1], before == after)"
    )
    ran = subprocess.run([sys.executable, "-c", job], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.strip() == "0 True"


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_can_write_to_is_not_used(cache: Path, made: Callable[[], Path], mode: int) -> None:
    folder = cache / "aws_iam_async"
    folder.mkdir(parents=True)
    folder.chmod(mode)
    file = made()
    assert folder not in file.parents
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_not_used(cache: Path, made: Callable[[], Path]) -> None:
    folder = cache / "aws_iam_async"
    folder.mkdir(parents=True)
    os.chown(folder, 12345, 12345)
    assert folder not in (made()).parents
    assert list(folder.iterdir()) == []


def test_a_link_is_not_followed(cache: Path, tmp_path: Path, made: Callable[[], Path]) -> None:
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
    made: Callable[[], Path],
    folder: str,
) -> None:
    (tmp_path / "a file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / folder))
    file = made()
    assert tmp_path in file.parents
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert made() == file


def test_processes_without_a_cache_share_a_folder_too(tmp_path: Path) -> None:
    """A program that is started every minute must not fill the disk."""
    environment = {**os.environ, "XDG_CACHE_HOME": "/dev/null/x"}
    told = {
        subprocess.run(
            [sys.executable, "-c", SHOW], env=environment, capture_output=True, text=True, check=True, timeout=60
        ).stdout.strip()
        for _ in range(2)
    }
    assert len(told) == 1
    assert all(Path(file).is_relative_to(tmp_path) for file in told)


def test_a_relative_cache_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: Callable[[], Path]
) -> None:
    """The specification of XDG_CACHE_HOME says so; the file would be elsewhere after a chdir()."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert (made()).is_absolute()
    assert not (tmp_path / "relative").exists()


def test_no_home(monkeypatch: pytest.MonkeyPatch, made: Callable[[], Path]) -> None:
    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", home)
    assert (made()).is_file()


def test_no_place_at_all_is_explained(monkeypatch: pytest.MonkeyPatch, made: Callable[[], Path]) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/x")
    monkeypatch.setattr("tempfile.tempdir", "/dev/null/x")
    with pytest.raises(ConfigurationError, match="pass sslrootcert="):
        made()
