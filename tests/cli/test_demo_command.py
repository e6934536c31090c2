"""``demo`` shows what the library does, tells whether it held, and leaves nothing behind."""

import re
import signal
import subprocess

import pytest

from tests.cli.conftest import Program, lines_until


@pytest.fixture(scope="module")
def demo(program: Program) -> subprocess.CompletedProcess[str]:
    return program.run("demo")


def steps(output: str) -> dict[str, dict[str, int]]:
    """The counts below each numbered step."""
    counts: dict[str, dict[str, int]] = {}
    for line in output.splitlines():
        if step := re.match(r"(\d)\. ", line):
            current = counts[step[1]] = {}
        elif count := re.fullmatch(r" +([^:]+): +(\d+)", line):
            current[count[1]] = int(count[2])
    return counts


def test_it_succeeds_in_silence_on_stderr(demo: subprocess.CompletedProcess[str]) -> None:
    assert demo.stderr == ""
    assert demo.returncode == 0
    assert demo.stdout.endswith("All checks passed. The servers are stopped and their files removed.\n")


def test_a_hundred_connects_share_one_token(demo: subprocess.CompletedProcess[str]) -> None:
    assert steps(demo.stdout)["2"] == {
        "connections made": 100,
        "tokens generated": 1,
        "times the credentials were read": 1,
    }


def test_open_connections_outlive_the_key_that_opened_them(demo: subprocess.CompletedProcess[str]) -> None:
    assert steps(demo.stdout)["3"] == {
        "queries answered": 100,
        "connections made": 0,
        "tokens generated": 0,
        "times the credentials were read": 0,
    }


def test_a_refused_token_is_replaced_once_for_all(demo: subprocess.CompletedProcess[str]) -> None:
    counts = steps(demo.stdout)["4"]
    assert 1 <= counts.pop("logins refused by the endpoint") <= 100
    assert counts == {"connections made": 100, "tokens generated": 1, "times the credentials were read": 1}


def test_every_step_says_how_long_it_took(demo: subprocess.CompletedProcess[str]) -> None:
    assert len(re.findall(r"^\d\. .* \d+\.\d\d s$", demo.stdout, re.MULTILINE)) == 4


def test_the_output_suits_a_plain_log(demo: subprocess.CompletedProcess[str]) -> None:
    assert demo.stdout.isascii()
    assert "\x1b" not in demo.stdout
    assert max(map(len, demo.stdout.splitlines())) <= 80


def test_the_output_holds_no_token(demo: subprocess.CompletedProcess[str]) -> None:
    assert "X-Amz" not in demo.stdout
    assert "Signature" not in demo.stdout


def test_nothing_is_left_behind(demo: subprocess.CompletedProcess[str], program: Program) -> None:
    assert demo.returncode == 0
    assert program.left_behind() == []


# Not "1.": while asyncio.run() of Python 3.11 sets itself up, an interrupt leaves warnings of its own.
@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("aws_iam_async", signal.SIGINT),
        ("aws_iam_async", signal.SIGTERM),
        ("2.", signal.SIGINT),
        ("3.", signal.SIGTERM),
    ],
)
def test_an_interrupted_demo_tidies_up(program: Program, moment: str, number: signal.Signals) -> None:
    with program.started("demo") as process:
        assert lines_until(process.stdout, moment)[-1].startswith(moment)
        process.send_signal(number)
        _, errors = process.communicate()
    assert errors == "interrupted\n"
    assert process.returncode == 130
    assert program.left_behind() == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            "from aws_iam_async.cli import demo; demo.RotatingCredentials.rotate = lambda source: None",
            "the endpoint refused no login, although the access key was revoked",
        ),
        (
            "from aws_iam_async.plugins import iam; iam.DEFAULT_EXPIRATION = 0",
            "tokens generated: 100, expected 1",
        ),
    ],
)
def test_what_does_not_hold_is_named(program: Program, change: str, complaint: str) -> None:
    done = program.run("demo", preparation=change)
    assert done.stderr == f"aws-iam-async demo: {complaint}\n"
    assert done.returncode == 1
    assert "All checks passed" not in done.stdout
    assert program.left_behind() == []
