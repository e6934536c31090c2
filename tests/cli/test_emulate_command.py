"""``emulate`` prints shell lines with which everything else on the machine can log in."""

import asyncio
import os
import signal
import subprocess

import pytest

import aws_iam_async
from tests.cli.conftest import Program, lines_until

# What another account's temporary credentials may have left behind.
LEFT_BEHIND = dict.fromkeys(["AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION"], "left behind")


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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
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
