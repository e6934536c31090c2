"""Each extra of the wheel is enough, without the others, for the job it is there for."""

import shutil
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from aws_iam_async.testing import Emulator
from tests.examples.conftest import credentials, dsn
from tests.packaging.conftest import ROOT, Distributions, run

pytestmark = pytest.mark.long

JOBS = Path(__file__).with_name("jobs")
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def test_each_extra_has_a_job() -> None:
    assert {job.stem for job in JOBS.glob("*.py")} == {"base", *EXTRAS}


class Environment:
    """An environment with a Python and nothing else.

    Args:
        folder: Where to create it.
    """

    def __init__(self, folder: Path) -> None:
        run(sys.executable, "-m", "venv", "--without-pip", folder)
        self.python = folder / "bin/python"
        (self.packages,) = folder.glob("lib/*/site-packages")

    def pip(self, *arguments: str | Path) -> None:
        run(sys.executable, "-m", "pip", "--python", self.python, *arguments)

    def distributions(self) -> dict[str, Distribution]:
        return {canonicalize_name(found.name): found for found in distributions(path=[str(self.packages)])}

    def link(self, distribution: Distribution) -> None:
        """Let what was installed in another environment be installed here as well."""
        for name in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            (self.packages / name).symlink_to(Path(str(distribution.locate_file(name))))


def required(found: dict[str, Distribution], requirement: Requirement) -> set[str]:
    """The names of the distributions that pip would install for a requirement, of those that are found."""
    wanted, names = [requirement], set[str]()
    for needed in wanted:
        name = canonicalize_name(needed.name)
        names.add(name)
        assert needed.specifier.contains(found[name].version, prereleases=True), f"{needed}: {found[name].version}"
        for extra in needed.extras | {""}:
            for line in found[name].requires or ():
                further = Requirement(line)
                is_wanted = further.marker is None or further.marker.evaluate({"extra": extra})
                if is_wanted and further not in wanted:
                    wanted.append(further)
    return names


@pytest.fixture(scope="module")
def everything(distributions: Distributions, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """The wheel with all extras, from the package index; hundreds of megabytes are not left to pytest's retention."""
    folder = tmp_path_factory.mktemp("everything")
    environment = Environment(folder)
    environment.pip("install", "--quiet", "--no-compile", f"{distributions.wheel}[all]")
    environment.pip("check")
    yield environment
    shutil.rmtree(folder)


@pytest.fixture
def environment(extra: str, everything: Environment, distributions: Distributions, tmp_path: Path) -> Environment:
    """The wheel with an extra, and only with what pip installs for that."""
    if extra == "all":
        return everything
    found = everything.distributions()
    environment = Environment(tmp_path / "environment")
    environment.pip("install", "--quiet", "--no-compile", "--no-deps", distributions.wheel)
    extras = f"[{extra}]" if extra in EXTRAS else ""
    for name in required(found, Requirement(f"aws-iam-async{extras}")) - {"aws-iam-async"}:
        environment.link(found[name])
    return environment


@pytest.mark.parametrize("extra", ["base", *EXTRAS])
def test_extra(extra: str, environment: Environment, rds_postgres: Emulator, rds_mysql: Emulator) -> None:
    variables = credentials(rds_postgres) | {"POSTGRES": dsn(rds_postgres), "MYSQL": dsn(rds_mysql)}
    # -I: neither this directory nor the environment's variables lead back to the checkout.
    run(environment.python, "-I", "-X", "dev", "-W", "error", JOBS / f"{extra}.py", variables=variables)
