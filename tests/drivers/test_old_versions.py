"""An installed driver that is too old is refused by name, with the versions and the command that replaces it."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from aws_iam_async import drivers

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
PROGRAM = """
import asyncio, {library}
{library}.__version__ = {version!r}
import aws_iam_async

async def credentials():
    print("the credentials were read")

try:
    asyncio.run(aws_iam_async.{way}(driver={driver!r}, host="127.0.0.1", port=1, user="app", credentials=credentials,
        iam_host="x.c9akciq32.us-east-1.rds.amazonaws.com"))
except aws_iam_async.DriverNotFoundError as error:
    print(error)
"""
LIBRARIES = [(driver, *library) for driver, built_in in drivers.BUILT_IN.items() for library in built_in.oldest.items()]


def run(**values: str) -> str:
    command = [sys.executable, "-c", PROGRAM.format(**values)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout


@pytest.mark.parametrize(("driver", "library", "oldest"), LIBRARIES)
@pytest.mark.parametrize("way", ["connect", "create_pool"])
def test_it_is_refused(driver: str, library: str, oldest: str, way: str) -> None:
    told = run(driver=driver, library=library, version="0.2.13", way=way)
    assert told == (
        f"driver {driver!r} cannot be imported (it needs {library} {oldest} or newer, not 0.2.13):"
        f" pip install 'aws-iam-async[{driver}]'\n"
    )


@pytest.mark.parametrize(("driver", "library", "oldest"), LIBRARIES)
def test_they_are_those_of_the_extra(driver: str, library: str, oldest: str) -> None:
    extra = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"][driver]
    assert any(
        needed.startswith((f"{library.replace('_', '-')}>={oldest},", f"{library}[binary]>={oldest},"))
        for needed in extra
    )


@pytest.mark.parametrize("version", ["3.10", "4.0.0.dev1", "3.3.1rc2"])
def test_newer_ones_are_not(version: str) -> None:
    told = run(driver="psycopg", library="psycopg_pool", version=version, way="connect")
    assert "the credentials were read" in told
