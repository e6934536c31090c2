"""Nothing is left, and nothing warns, in Python's development mode, with each implementation and each loop."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg_binary
import pytest

from tests.login.conftest import Rds

JOB = ["-X", "dev", "-W", "error", "-m", "tests.drivers.psycopg.strict_job"]


def run(rds: Rds, loop: str, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "EMULATOR_ADDRESS": rds.emulator.dial_host,
        "EMULATOR_PORT": str(rds.emulator.port),
        "EMULATOR_HOST": rds.emulator.host,
        "EMULATOR_CA": str(rds.emulator.ca_file),
        **variables,
    }
    command = [sys.executable, *JOB, loop]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def libpq(tmp_path: Path) -> dict[str, str]:
    """Let ctypes find the libpq of the wheel, if this machine has one that it can find at all."""
    libraries = Path(psycopg_binary.__file__).parents[1] / "psycopg_binary.libs"
    (tmp_path / "libpq.so.5").symlink_to(next(libraries.glob("libpq*")))
    variables = {"PSYCOPG_IMPL": "python", "LD_LIBRARY_PATH": f"{tmp_path}:{libraries}"}
    imported = subprocess.run(
        [sys.executable, "-c", "import psycopg"], env={**os.environ, **variables}, capture_output=True, check=False
    )
    if imported.returncode:
        pytest.skip("ctypes finds no libpq on this machine")
    return variables


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_implementation_in_c(rds: Rds, loop: str) -> None:
    ran = run(rds, loop, {})
    assert (ran.stderr, ran.stdout.split()[:1]) == ("", ["binary"])


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_implementation_in_python(rds: Rds, loop: str, libpq: dict[str, str]) -> None:
    ran = run(rds, loop, libpq)
    assert (ran.stderr, ran.stdout.split()[:1]) == ("", ["python"])
