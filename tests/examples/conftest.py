"""Runs the examples as a user would: as programs of their own, against the emulator."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from aws_iam_async.testing import Emulator

EXAMPLES = Path(__file__).parents[2] / "examples"
SECONDS = 60


class Ran(NamedTuple):
    """How a program ended."""

    status: int | None
    out: str
    err: str


Run = Callable[..., Awaitable[Ran]]


def credentials(emulator: Emulator) -> dict[str, str]:
    """Environment variables with a new access key of the emulator's account, and nothing of this machine's own."""
    key = emulator.account.create_access_key(session=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PG", "DB_"))}
    return environment | {
        "AWS_ACCESS_KEY_ID": key.access_key,
        "AWS_SECRET_ACCESS_KEY": key.secret_key,
        "AWS_SESSION_TOKEN": key.session_token or "",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def dsn(emulator: Emulator, **options: object) -> str:
    """The emulator's address with all that it takes to log in there."""
    known = {"iam_host": emulator.host, "sslrootcert": emulator.ca_file, **options}
    return emulator.dsn("app", "shop") + "?" + "&".join(f"{name}={value}" for name, value in known.items())


@pytest.fixture
def run() -> Run:
    """Runs an example with arguments and an environment, warnings being errors, and waits for its end."""

    async def run(name: str, *arguments: str, environment: dict[str, str]) -> Ran:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-W", "error", str(EXAMPLES / name), *arguments,
            env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(SECONDS):
                out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return Ran(process.returncode, out.decode(), err.decode())

    return run
