"""A certificate file that hangs, as on a dead mount, holds up only those that need it, within their time limit."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the platform has no FIFO")

PROGRAM = """
import asyncio, json, os, signal, sys, time, traceback, warnings
import aws_iam_async
from aws_iam_async import Credentials, tls
from aws_iam_async.tls import contexts

mode, fifo, other = sys.argv[1:]
settings = {"sslrootcert": fifo}
if mode == "system":
    os.environ["SSL_CERT_FILE"], settings = fifo, {}

async def credentials():
    return Credentials("AKIAEXAMPLE", "example")

async def connect():
    await aws_iam_async.connect(
        "postgresql://app@shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com/shop",
        credentials=credentials, timeout=0.3, **settings,
    )

async def others():
    async with asyncio.timeout(20):
        return [await contexts.context(tls.parse(word, sslrootcert=other)) for word in ("verify-full", "verify-ca")]

def fork():
    began = time.monotonic()
    warnings.simplefilter("ignore", DeprecationWarning)  # CPython 3.12 warns of any fork with threads
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        os._exit(0 if asyncio.run(others()) else 1)
    took = time.monotonic() - began
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), took

found = {"seconds": []}
for _ in range(3):
    began = time.monotonic()
    try:
        asyncio.run(connect())
    except TimeoutError as error:
        found["error"] = "".join(traceback.format_exception(error))
    found["seconds"].append(time.monotonic() - began)
signal.alarm(60)  # an endless wait would end the program here
found["others"] = len(asyncio.run(others()))
found["forks"] = [fork(), fork()]
print(json.dumps(found), flush=True)
"""


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "root.pem"
    os.mkfifo(path)
    return path


def _run(mode: str, fifo: Path, root_cert: Path) -> Any:
    command = [sys.executable, "-c", PROGRAM, mode, str(fifo), str(root_cert)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.mark.parametrize("mode", ["sslrootcert", "system"])
def test_others_connect_and_fork(fifo: Path, root_cert: Path, mode: str) -> None:
    found = _run(mode, fifo, root_cert)
    assert max(found["seconds"]) < 10
    assert found["others"] == 2
    (first, first_took), (second, second_took) = found["forks"]
    assert first == second == 0
    assert first_took < 20
    assert second_took < 2  # what a fork has waited for in vain is not waited for again


def test_the_file_is_named(fifo: Path, root_cert: Path) -> None:
    error = _run("sslrootcert", fifo, root_cert)["error"]
    assert f"sslrootcert: {str(fifo)!r} is still being read" in error
