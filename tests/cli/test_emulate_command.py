"""``emulate`` prints shell lines with which everything else on the machine can log in."""

import asyncio
import contextlib
import os
import pty
import random
import shlex
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import aws_iam_async
from tests.cli.conftest import Program, lines_until

# What another account's temporary credentials may have left behind.
LEFT_BEHIND = dict.fromkeys(
    ["AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION", "AWS_PROFILE"], "left behind"
)


def variables(lines: list[str]) -> dict[str, str]:
    """What a shell exports that has sourced the lines; before that, it exported what was left behind."""
    script = "\n".join([*lines, "env -0"])
    done = subprocess.run(
        ["sh"],
        input=script,
        env={"PATH": os.environ["PATH"], **LEFT_BEHIND},
        capture_output=True,
        text=True,
        check=True,
    )
    exported = dict(pair.split("=", 1) for pair in done.stdout.split("\0") if pair)
    return {name: value for name, value in exported.items() if name not in {"PATH", "PWD", "OLDPWD", "SHLVL", "_"}}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_its_lines_let_a_client_in_until_it_is_stopped(
    program: Program, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    with program.started("emulate") as process:
        # Like a shell: everything is there once the last line is.
        lines = await asyncio.to_thread(lines_until, process.stdout, "export POSTGRESQL_CA_FILE=")
        exported = variables(lines)
        assert exported.keys().isdisjoint(LEFT_BEHIND)
        for name, value in exported.items():
            monkeypatch.setenv(name, value)
        async with aws_iam_async.connect(exported["POSTGRESQL_DSN"]) as connection:
            assert await connection.fetchval("SELECT current_user") == "app"
        process.send_signal(number)
        rest, errors = await asyncio.to_thread(process.communicate)
    assert (rest, errors, process.returncode) == ("", "", 0)
    assert program.left_behind() == []


def test_after_nohup_it_outlives_its_terminal(program: Program) -> None:
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # its children inherit that
    try:
        with program.started("emulate") as process:
            lines_until(process.stdout, "export POSTGRESQL_CA_FILE=")
            process.send_signal(signal.SIGHUP)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(1)
            process.send_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGHUP, previous)
    assert process.returncode == 0
    assert program.left_behind() == []


async def test_two_servers_share_one_account(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    with program.started("emulate", "both") as process:
        lines = await asyncio.to_thread(lines_until, process.stdout, "export MYSQL_CA_FILE=")
        for name, value in variables(lines).items():
            monkeypatch.setenv(name, value)
        async with aws_iam_async.connect(variables(lines)["MYSQL_DSN"]) as connection, connection.cursor() as cursor:
            await cursor.execute("SELECT CURRENT_USER()")
            assert await cursor.fetchone() == ("app@%",)
        async with aws_iam_async.connect(variables(lines)["POSTGRESQL_DSN"]) as connection:
            assert await connection.fetchval("SELECT current_user") == "app"
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 0
    assert program.left_behind() == []


# The command below logs in, with both forms of the DSN, as a service would.
SERVICE = """
import asyncio, os, sys
import aws_iam_async
from sqlalchemy import text
from aws_iam_async.sqlalchemy import create_async_engine

async def main():
    async with aws_iam_async.connect(os.environ["POSTGRESQL_DSN"]) as connection:
        print(await connection.fetchval("SELECT current_user"))
    engine = create_async_engine(os.environ["POSTGRESQL_SQLALCHEMY_URL"])
    async with engine.connect() as connection:
        print((await connection.execute(text("SELECT current_database()"))).scalar_one())
    await engine.dispose()

asyncio.run(main())
print(sorted(name for name in os.environ if name.startswith("AWS_") and "FILE" not in name))
sys.exit(7)
"""


def test_a_command_runs_with_the_variables_and_its_status_is_passed_on(program: Program) -> None:
    command = ("--signed-port", "5432", "--", sys.executable, "-c", SERVICE)
    done = program.run("emulate", *command, environment=LEFT_BEHIND)
    assert done.stderr == ""
    names = "['AWS_ACCESS_KEY_ID', 'AWS_EC2_METADATA_DISABLED', 'AWS_SECRET_ACCESS_KEY']"
    assert done.stdout.splitlines() == ["app", "shop", names]
    assert done.returncode == 7
    assert program.left_behind() == []


def is_alive(pid: int) -> bool:
    """Whether a process still runs; one that has ended may wait for its parent to notice."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_are_passed_on_to_the_command(program: Program, number: signal.Signals) -> None:
    script = "trap 'echo got; exit 3' INT TERM HUP; echo ready; while :; do sleep 0.1; done"
    with program.started("emulate", "--", "sh", "-c", script) as process:
        assert lines_until(process.stdout, "ready") == ["ready"]
        process.send_signal(number)
        rest, errors = process.communicate()
    assert (rest, process.returncode) == ("got\n", 3)
    assert "interrupted" not in errors  # the shell may say what happened to its own children
    assert program.left_behind() == []


def test_a_command_that_a_signal_ends_has_the_status_that_shells_give(program: Program) -> None:
    with program.started("emulate", "--", "sh", "-c", "echo $$; sleep 1000; true") as process:
        pid = int(lines_until(process.stdout, "")[0])
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 128 + signal.SIGTERM
    assert not is_alive(pid)


def test_what_the_command_leaves_behind_ends_with_it(program: Program) -> None:
    script = "trap '' TERM; sleep 1000 & echo $!; exit 4"
    done = program.run("emulate", "--", "sh", "-c", script)
    assert done.returncode == 4
    assert not is_alive(int(done.stdout))
    assert program.left_behind() == []


def test_ctrl_c_at_a_terminal_reaches_the_command_once(program: Program) -> None:
    script = "trap 'echo got' INT; echo ready; for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.1; done; exit 5"
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "aws_iam_async", "emulate", "--", "sh", "-c", script]
    # A session of its own with this terminal, as in a terminal's window. Background jobs of a shell ignore SIGINT.
    code = (
        "import fcntl, os, signal, termios; signal.signal(signal.SIGINT, signal.SIG_DFL); os.setsid();"
        f" fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv({sys.executable!r}, "
    )
    process = subprocess.Popen(
        [sys.executable, "-c", f"{code}{command})"], stdin=slave, stdout=slave, stderr=slave, env=program.environment()
    )
    os.close(slave)
    shown = b""
    with process, contextlib.suppress(OSError):  # reading a terminal that has no writer left
        while data := os.read(master, 1 << 16):
            if b"ready" in data:
                os.write(master, b"\x03")
            shown += data
    os.close(master)
    assert shown.count(b"got") == 1
    assert process.returncode == 5


def test_a_command_that_does_not_exist_is_named(program: Program) -> None:
    done = program.run("emulate", "--", "/no/such/program", preparation=program.copy_data)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "aws-iam-async emulate: '/no/such/program' cannot be run: No such file or directory\n"
    assert program.left_behind() == []


async def test_variables_are_written_to_a_file_for_its_owner_alone(
    program: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "emulator.env"
    with program.started("emulate", "--env-file", str(file)) as process:
        shown = await asyncio.to_thread(lines_until, process.stdout, "# The variables")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        lines = file.read_text().splitlines()
        written = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
        assert written["AWS_SECRET_ACCESS_KEY"] not in "".join(shown)
        for name, value in written.items():
            monkeypatch.setenv(name, "".join(shlex.split(value)))
        async with aws_iam_async.connect(os.environ["POSTGRESQL_DSN"]) as connection:
            assert await connection.fetchval("SELECT current_user") == "app"
        process.send_signal(signal.SIGTERM)
        rest, errors = await asyncio.to_thread(process.communicate)
    assert (rest, errors, process.returncode) == ("", "", 0)
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - iterdir() counts as blocking


def test_a_file_of_others_is_not_replaced(program: Program, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("SETTING=of the user\n")
    done = program.run("emulate", "--env-file", str(file), "--", "true", preparation=program.copy_data)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"aws-iam-async emulate: {file} exists, and is not a file of this command.")
    assert file.read_text() == "SETTING=of the user\n"
    nowhere = str(tmp_path / "none" / "x")
    done = program.run("emulate", "--env-file", nowhere, "--", "true", preparation=program.copy_data)
    assert "cannot be written: No such file or directory" in done.stderr


def test_ports_are_those_that_were_asked_for(program: Program) -> None:
    port = random.randrange(20_000, 30_000)  # below those that the system gives to others
    with socket.create_server(("127.0.0.1", port)):
        done = program.run("emulate", "--port", str(port), "--", "true", preparation=program.copy_data)
        in_use = f"--port {port} is in use: pass another port, or omit --port to listen on a free one"
        assert (done.returncode, done.stdout, done.stderr) == (1, "", f"aws-iam-async emulate: {in_use}\n")
    command = ("--signed-port", "5432", "--", "sh", "-c", "echo $POSTGRESQL_DSN")
    done = program.run("emulate", "--port", str(port), *command, preparation=program.copy_data)
    assert f"@127.0.0.1:{port}/shop?" in done.stdout
    assert "iam_default_port=5432" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--",), "a command is missing after --"),
        (("--port", "1", "--port", "2"), "more ports than servers: postgresql takes 1"),
        (("both", "--signed-port", "70000"), "70000 is not in the range"),
        (("pytest", "--", "-x"), "'pytest' is not one of"),
    ],
)
def test_wrong_arguments_are_answered_with_the_usage(
    program: Program, arguments: tuple[str, ...], complaint: str
) -> None:
    done = program.run("emulate", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert complaint in done.stderr
