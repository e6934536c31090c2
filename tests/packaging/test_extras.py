"""Each extra alone, installed from the wheel into an empty environment, is enough for the job it is there for."""

import shutil
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from aws_iam_async.testing import Emulator
from tests.examples.conftest import credentials, dsn
from tests.packaging.conftest import ROOT, Distributions, run

pytestmark = pytest.mark.long

JOBS = Path(__file__).with_name("jobs")
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def test_each_extra_has_a_job() -> None:
    assert {job.stem for job in JOBS.glob("*.py")} == {"base", *EXTRAS}


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Path]:
    """An environment with a Python and nothing else; hundreds of megabytes are not left to pytest's retention."""
    folder = tmp_path / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("extra", ["base", *EXTRAS])
def test_extra(
    extra: str, distributions: Distributions, environment: Path, rds_postgres: Emulator, rds_mysql: Emulator
) -> None:
    python = environment / "bin/python"
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", python]
    wanted = f"{distributions.wheel}[{extra}]" if extra in EXTRAS else distributions.wheel
    run(*pip, "install", "--quiet", "--no-compile", wanted)
    run(*pip, "check")
    variables = credentials(rds_postgres) | {"POSTGRES": dsn(rds_postgres), "MYSQL": dsn(rds_mysql)}
    # -I: neither this directory nor the environment's variables lead back to the checkout.
    run(python, "-I", "-X", "dev", "-W", "error", JOBS / f"{extra}.py", variables=variables)
