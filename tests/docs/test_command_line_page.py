"""The page on the command line shows what the program really prints, and lists all there is."""

import asyncio
import itertools
import re
import shlex
import sys
from pathlib import Path

import pytest

import aws_iam_async
from aws_iam_async.cli.connection import OPTIONS
from aws_iam_async.cli.doctor.examination import STEPS
from aws_iam_async.cli.main import program
from tests.cli.doctor import sts_double
from tests.docs.conftest import CLUSTER, MYSQL, World
from tests.docs.pages import ROOT, Block, blocks, table

SECONDS = 60
PAGE = "docs/command-line.md"
BLOCKS = list(blocks(ROOT / PAGE))
SHOWN = [
    (command, output)
    for command, output in itertools.pairwise(BLOCKS)
    if (command.language, output.language) == ("shell", "text")
]
# Runs as a block of Python does, so connections lead to the emulators; and so do the names.
RUN = f"""
import socket, sys
from aws_iam_async.__main__ import main

def getaddrinfo(host, port, *_, **__):
    address = "10.0.3.7" if host in ({CLUSTER!r}, {MYSQL!r}) else host
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

socket.getaddrinfo = getaddrinfo
"""
# What is another each time, and how the page shows it.
CHANGING = [
    (r"\d+\.\d\d s", "0.00 s"),
    (r"ASIA[A-Z2-7]{16}", "ASIAIOSFODNN7EXAMPLE"),
    (r"#[\w-]{16}", "#..."),
    (r"clock \d s off", "clock 0 s off"),
    (r"asyncpg \d[\d.]+", "asyncpg 0.32.0"),
    (r"until \d{4}-\d\d-\d\d", "until 3000-01-01"),
    (r"\s+", " "),  # widths change with all that
]


def constant(text: str) -> str:
    for pattern, shown in CHANGING:
        text = re.sub(pattern, shown, text)
    return text.strip()


@pytest.mark.parametrize(("command", "output"), SHOWN, ids=lambda block: str(block.line))
async def test_what_is_shown_is_what_is_printed(command: Block, output: Block, world: World, tmp_path: Path) -> None:
    words = shlex.split(command.text.replace("\\\n", " "))
    assert words[:2] == ["aws-iam-async", "check"]
    if "report@" in command.text:
        world.emulators[f"{CLUSTER}:5432"].faults.reject_next(2)
    with sts_double.serving() as sts:
        environment = world.environment(tmp_path) | {"AWS_ENDPOINT_URL_STS": sts.url, "COLUMNS": "80"}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-W", "error", str(ROOT / "tests/docs/block_program.py"),
            cwd=tmp_path, env=environment,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(SECONDS):
                printed, errors = await process.communicate(f"{RUN}\nsys.argv = {words!r}\nmain()".encode())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert errors.decode() == ""
    assert constant(printed.decode()) == constant(output.text)
    assert process.returncode == (1 if "failed" in output.text else 0)


def test_an_output_is_shown() -> None:
    assert len(SHOWN) == 1


def names(heading: str) -> list[str]:
    return [row[0].split("`")[1].split()[0] for row in table(PAGE, heading)]


def test_every_command_is_listed() -> None:
    assert sorted(names("## Commands")) == sorted(program.commands)


def test_every_step_is_listed() -> None:
    assert sorted(names("### Steps")) == sorted(step.name for step in STEPS)


def test_every_option_is_listed() -> None:
    text = (ROOT / PAGE).read_text()
    flags = [f"--{name.replace('_', '-')}" for name in OPTIONS]
    assert [flag for flag in flags if f"`{flag}`" not in text] == []
    own = {option for parameter in program.commands["check"].params for option in parameter.opts}
    assert sorted(names("### Options")) == sorted(own - set(flags) - {"dsn", "--help", "-h"})


def test_every_cause_is_listed() -> None:
    package = Path(aws_iam_async.__file__).parent
    files = [file for room in ("cli/doctor", "credentials", "plugins") for file in (package / room).rglob("*.py")]
    found = {
        cause for file in files for cause in re.findall(r"\b(?:Advice|Remedy)\(\s*\"([a-z-]+)\"", file.read_text())
    }
    assert sorted(names("### Causes")) == sorted(found)
