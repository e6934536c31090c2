"""The report is readable in a plain log, a narrow terminal and a program, and the exit status agrees with it."""

import contextlib
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from aws_iam_async.testing import Emulator
from tests.cli.conftest import Program, lines_until, program
from tests.cli.doctor.conftest import Doctor

__all__ = ["program"]

ENDPOINT = "shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com"


@pytest.fixture
def refused(doctor: Doctor, postgresql: Emulator) -> list[str]:
    """The arguments of a check with a refused login."""
    postgresql.faults.reject_next(2)
    return [*doctor.arguments(postgresql), "--no-sts"]


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_a_log_is_plain_and_as_wide_as_it_may_be(doctor: Doctor, refused: list[str], width: int) -> None:
    doctor.home.set(COLUMNS=str(width))
    result = doctor.run(*refused)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert "\x1b" not in result.stdout
    assert [line for line in lines if line != line.rstrip()] == []
    # Code is for copying, so it is not broken. The verdict, at the end, is one line.
    too_wide = [line for line in lines[:-1] if len(line) > width]
    assert all(line.startswith("      ") for line in too_wide)
    assert '        "Resource": "arn:aws:rds-db:us-east-1:ACCOUNT:dbuser:RESOURCE_ID/app"' in lines
    assert "      GRANT rds_iam TO app;" in lines


def test_each_step_has_a_mark_and_its_time(doctor: Doctor, refused: list[str]) -> None:
    steps = re.findall(r"^([✓!✗·]) (\w+) +(\d+\.\d\d) s", doctor.run(*refused).stdout, re.MULTILINE)
    assert [name for _, name, _ in steps] == [
        *("driver", "options", "endpoint", "region", "credentials", "identity"),
        *("token", "dns", "tcp", "tls", "login"),
    ]
    assert "".join(mark for mark, _, _ in steps) == "✓" * 10 + "✗"


def test_the_last_line_is_the_verdict(doctor: Doctor, postgresql: Emulator) -> None:
    arguments = [*doctor.arguments(postgresql), "--no-sts"]
    good = doctor.run(*arguments)
    assert (good.exit_code, good.stdout.splitlines()[-1]) == (0, "The login works.")
    postgresql.faults.reject_next(2)
    bad = doctor.run(*arguments)
    assert bad.exit_code == 1
    assert bad.stdout.splitlines()[-1].startswith("Failed: login. Most likely: missing policy. The policies of ")


def test_the_verdict_names_the_cause_and_the_remedy(doctor: Doctor, postgresql: Emulator) -> None:
    doctor.home.set(COLUMNS="40")
    *_, last = doctor.run(*doctor.arguments(postgresql, "--iam-region", "eu-west-1"), "--no-sts").stdout.splitlines()
    assert last == (
        "Failed: login. Most likely: wrong region. The token is signed for eu-west-1, but the endpoint is in us-east-1."
        " Leave iam_region out, or correct it."
    )


@pytest.mark.parametrize(
    ("dsn", "lines"),
    [
        (
            f"postgresql://app@{ENDPOINT}/shop?iamRegion=us-east-1",
            ["✓ driver", "✗ options", "Failed: options. Most likely: configuration. Correct the option that is named"],
        ),
        (
            "oracle://app@db/shop",
            ["✗ driver", "Failed: driver. Most likely: configuration. Correct the option that is"],
        ),
    ],
)
def test_a_wrong_option_is_answered_with_one_sentence(doctor: Doctor, dsn: str, lines: list[str]) -> None:
    doctor.home.set(COLUMNS="200")
    shown = [line for line in doctor.run(dsn, "--no-sts").stdout.splitlines() if line]
    assert len(shown) == len(lines)
    assert [line for line, start in zip(shown, lines, strict=True) if not line.startswith(start)] == []


def test_steps_that_were_skipped_are_named_if_later_ones_ran(doctor: Doctor, rds_postgres: Emulator) -> None:
    shown = doctor.run(*doctor.arguments(rds_postgres), "--no-sts").stdout
    assert "\nnot reached: identity, token, login, server, query\n" in shown
    assert shown.splitlines()[-1].startswith("Failed: credentials. Most likely: no credentials. There are no AWS")


def test_a_warning_that_causes_a_failure_is_shown_only_there(doctor: Doctor, postgresql: Emulator) -> None:
    arguments = [*doctor.arguments(postgresql, "--iam-region", "eu-west-1"), "--no-sts"]
    shown = doctor.run(*arguments).stdout
    assert re.search(r"^! region ", shown, re.MULTILINE)
    assert shown.count("wrong-region") == 1
    assert shown.index("login failed") < shown.index("wrong-region")


@pytest.mark.parametrize(
    "arguments", [["--timeout", "0"], ["--timeout", "soon"], ["--port", "x"], ["--iam-regoin", "us-east-1"]]
)
def test_wrong_arguments_are_the_usage(doctor: Doctor, arguments: list[str]) -> None:
    result = doctor.run("postgresql://app@db/shop", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Usage: ")


def test_json_is_one_document_and_nothing_else(program: Program) -> None:
    done = program.run("check", "postgresql://app@db.invalid/shop?iam_host=nobody", "--json", "--no-sts")
    assert (done.returncode, done.stderr) == (1, "")
    document = json.loads(done.stdout)
    assert sorted(document) == ["cause", "ok", "steps", "versions"]
    assert document["ok"] is False
    failed = [step for step in document["steps"] if step["status"] == "failed"]
    assert document["cause"] == failed[0]["advice"][0]["cause"]
    for step in document["steps"]:
        assert sorted(step) == ["advice", "detail", "name", "seconds", "status"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it_at_once(program: Program, number: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dsn = f"postgresql://app@127.0.0.1:{silent.getsockname()[1]}/shop?iam_host={ENDPOINT}"
        with program.started("check", dsn, "--no-sts", "--timeout", "60") as process:
            assert lines_until(process.stdout, "✓ tcp")[-1].startswith("✓ tcp")
            process.send_signal(number)
            _, errors = process.communicate()
    assert (errors, process.returncode) == ("interrupted\n", 130)


def test_a_log_that_is_no_utf_8_has_marks_too(program: Program) -> None:
    done = program.run(
        "check", "postgresql://app@db.example/shop", "--no-sts", environment={"PYTHONIOENCODING": "ascii"}
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.isascii()
    assert re.search(r"^\+ driver ", done.stdout, re.MULTILINE)
    assert re.search(r"^x endpoint ", done.stdout, re.MULTILINE)


def test_without_rich_it_says_what_to_install(program: Program) -> None:
    preparation = "sys.modules['rich'] = sys.modules['rich.console'] = None"
    done = program.run("check", "postgresql://app@db.example/shop", preparation=preparation)
    assert (done.returncode, done.stdout) == (1, "")
    assert "pip install 'aws-iam-async[cli]'" in done.stderr


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colours_are_for_terminals_that_want_them(tmp_path: Path, no_color: str, coloured: bool) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PG"))}
    own = {"TERM": "xterm", "NO_COLOR": no_color, "HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}
    command = [sys.executable, "-m", "aws_iam_async", "check", "postgresql://app@db.example/shop", "--no-sts"]
    master, slave = pty.openpty()
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=kept | own)
    os.close(slave)
    shown = b""
    with process, contextlib.suppress(OSError):  # reading a terminal that has no writer left
        while data := os.read(master, 1 << 16):
            shown += data
    os.close(master)
    assert process.returncode == 1
    assert bool(re.search(rb"\x1b\[(?:\d+;)*3\d", shown)) is coloured
