"""What goes beyond ``make test``: the built wheel, on every CPython in reach.

``make test`` runs in one environment, on the checkout. These sessions make an environment each: ``nox`` runs all of
them, ``nox -s tests-3.12 -- tests/tokens`` one of them on some of the tests.
"""

import os
import shutil
import tarfile
from pathlib import Path

import nox

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]  # those that are not found are skipped
DEVELOPMENT = nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), "dev")

nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False
# pyenv's shims fail for the versions that are not switched on; the interpreters behind them work.
for directory in sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/3.*/bin")):
    os.environ["PATH"] = f"{directory}{os.pathsep}{os.environ['PATH']}"


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests of the source distribution against the wheel that is built from it."""
    session.install(*DEVELOPMENT)
    folder = Path(session.create_tmp())
    session.run("python", "-m", "build", "--no-isolation", "--outdir", folder / "dist", silent=True)
    (sdist,), (wheel,) = (folder / "dist").glob("*.tar.gz"), (folder / "dist").glob("*.whl")
    # The tools once more: pip would leave them with an SDK that the wheel does not allow.
    session.install(f"{wheel}[all]", *DEVELOPMENT)
    # An environment that is used again (nox -r) holds a wheel of the same version already, which pip would keep.
    session.install("--force-reinstall", "--no-deps", str(wheel))
    session.run("make", "programs", external=True)
    copy = folder / sdist.name.removesuffix(".tar.gz")
    shutil.rmtree(copy, ignore_errors=True)
    with tarfile.open(sdist) as archive:
        # Python before 3.11.4, such as Debian 12's, knows no filters.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(folder)  # noqa: S202 - by the filter, where there are any
    shutil.rmtree(copy / "aws_iam_async")
    # The wheel's own files take their place, since some tests read them. "-I": not those of the checkout.
    find = "import aws_iam_async; print(*aws_iam_async.__path__)"
    installed = session.run("python", "-I", "-c", find, silent=True)
    (copy / "aws_iam_async").symlink_to(str(installed).strip())
    with session.chdir(copy):
        # The distributions can be built in the checkout only: the next session.
        session.run("python", "-m", "pytest", "--ignore=tests/packaging", *session.posargs)


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """Run the tests with the lowest version of each dependency that pyproject.toml allows."""
    session.install("uv")  # pip cannot choose the lowest versions
    choose = ["uv", "pip", "install", "--resolution", "lowest-direct"]
    session.run(*choose, "--editable", ".[all]", *DEVELOPMENT)
    session.run("make", "programs", external=True)
    # The first installs the newest versions, the second compares SQLAlchemy 2.0 with 2.1, the others judge tools.
    newest = ["packaging", "engines/test_both_sqlalchemy_versions.py", "docs", "typing"]
    session.run("python", "-m", "pytest", *(f"--ignore=tests/{name}" for name in newest), *session.posargs)


@nox.session(python=PYTHONS)
def extras(session: nox.Session) -> None:
    """Build, check and install the distributions; each extra alone, in an environment of its own."""
    session.install("--editable", ".[all]", *DEVELOPMENT)
    session.run("make", "programs", external=True)
    session.run("python", "-m", "pytest", "tests/packaging", *session.posargs)


@nox.session
def tracers(session: nox.Session) -> None:
    """Connect with the tracers that patch the drivers. `make test` has none of them, nor does it collect the tests."""
    # OpenTelemetry has no instrumentation for aiomysql; that for PyMySQL patches what aiomysql imports.
    patching = ["ddtrace", "elastic-apm", "newrelic", "sentry-sdk"]
    patching += [f"opentelemetry-{name}" for name in ("sdk", "instrumentation-asyncpg", "instrumentation-pymysql")]
    # Only what tests/conftest.py and pytest's settings need: pip searches long for versions of more tools.
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
    """Build the site, and run what stands in it."""
    session.install("--editable", ".[all]", *DEVELOPMENT)
    session.run("make", "programs", external=True)
    session.run("python", "-m", "pytest", "tests/docs", *session.posargs)
