"""Sessions that test more than ``make test``: the built wheel, on each installed version of CPython.

``make test`` tests the checkout in one environment. Each session creates its own environment. ``nox`` runs all
sessions. ``nox -s tests-3.12 -- tests/tokens`` runs some tests in one session.
"""

import os
import shutil
import tarfile
from pathlib import Path

import nox

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]  # nox skips the versions that are not installed
DEVELOPMENT = nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), "dev")

nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False
# pyenv's shims fail for versions that are not activated, so use the interpreters themselves.
for directory in sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/3.*/bin")):
    os.environ["PATH"] = f"{directory}{os.pathsep}{os.environ['PATH']}"


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests of the source distribution against the wheel that is built from it."""
    session.install(*DEVELOPMENT)
    folder = Path(session.create_tmp())
    session.run("python", "-m", "build", "--no-isolation", "--outdir", folder / "dist", silent=True)
    (sdist,), (wheel,) = (folder / "dist").glob("*.tar.gz"), (folder / "dist").glob("*.whl")
    # Name the tools again. Otherwise, pip keeps an SDK version that the tools brought and the wheel does not allow.
    session.install(f"{wheel}[all]", *DEVELOPMENT)
    # With `nox -r`, the environment already contains a wheel of the same version, and pip would keep it.
    session.install("--force-reinstall", "--no-deps", str(wheel))
    session.run("make", "programs", external=True)
    copy = folder / sdist.name.removesuffix(".tar.gz")
    shutil.rmtree(copy, ignore_errors=True)
    with tarfile.open(sdist) as archive:
        # Python before 3.11.4, for example on Debian 12, has no filters.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(folder)  # noqa: S202 - the filter makes this safe
    shutil.rmtree(copy / "aws_iam_async")
    # Some tests read the files of the package, so link to the installed ones. "-I" excludes the checkout from imports.
    find = "import aws_iam_async; print(*aws_iam_async.__path__)"
    installed = session.run("python", "-I", "-c", find, silent=True)
    (copy / "aws_iam_async").symlink_to(str(installed).strip())
    with session.chdir(copy):
        # tests/packaging builds the distributions, which works only in the checkout. The session "extras" runs it.
        session.run("python", "-m", "pytest", "--ignore=tests/packaging", *session.posargs)


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """Run the tests with the lowest version of each dependency that pyproject.toml allows."""
    session.install("uv")  # pip cannot choose the lowest versions
    choose = ["uv", "pip", "install", "--resolution", "lowest-direct"]
    session.run(*choose, "--editable", ".[all]", *DEVELOPMENT)
    session.run("make", "programs", external=True)
    # "packaging" installs the newest versions. The file in "engines" compares SQLAlchemy 2.0 with 2.1. The others test
    # tools.
    newest = ["packaging", "engines/test_both_sqlalchemy_versions.py", "docs", "typing"]
    session.run("python", "-m", "pytest", *(f"--ignore=tests/{name}" for name in newest), *session.posargs)


@nox.session(python=PYTHONS)
def extras(session: nox.Session) -> None:
    """Build, check and install the distributions. Each extra is installed in an environment of its own."""
    session.install("--editable", ".[all]", *DEVELOPMENT)
    session.run("make", "programs", external=True)
    session.run("python", "-m", "pytest", "tests/packaging", *session.posargs)


@nox.session
def tracers(session: nox.Session) -> None:
    """Connect with the tracers that patch the drivers. `make test` does not install them and skips these tests."""
    # OpenTelemetry has no instrumentation for aiomysql. The one for PyMySQL patches functions that aiomysql imports.
    patching = ["ddtrace", "elastic-apm", "newrelic", "sentry-sdk"]
    patching += [f"opentelemetry-{name}" for name in ("sdk", "instrumentation-asyncpg", "instrumentation-pymysql")]
    # Only the tools that tests/conftest.py and pytest's settings need, because pip takes long to resolve all of them.
    testing = ["blockbuster", "hypothesis", "pytest-asyncio", "pytest-timeout"]
    session.install("--editable", ".[all]", *testing, *patching)
    session.run("make", "programs", external=True)
    session.run("python", "-m", "pytest", "tests/tracers/run_with_tracers.py", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and types."""
    session.install("--editable", ".[all]", *DEVELOPMENT)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("pyright")
    session.run("ty", "check")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site, and run the code in it."""
    session.install("--editable", ".[all]", *DEVELOPMENT)
    session.run("make", "programs", external=True)
    session.run("python", "-m", "pytest", "tests/docs", *session.posargs)
