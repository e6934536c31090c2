"""Processes that start together ask the credentials endpoint once each."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.credentials.conftest import AwsHome, Endpoint
from tests.faults.container import serve
from tests.faults.site import Site

PROCESSES = 2
SECONDS = 120


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_one_request_a_process(place: Site, aws_home: AwsHome, endpoint: Endpoint) -> None:
    serve(place, aws_home, endpoint)
    program = Path(__file__).with_name("main_job.py")
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, str(program), place.driver, "asyncio"),
            env={**os.environ, **place.environment},
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(PROCESSES)
    ]
    async with asyncio.timeout(SECONDS):
        outputs = await asyncio.gather(*(process.communicate() for process in processes))
    assert [output for output, _ in outputs] == [b"generations=1 connects=15\n"] * PROCESSES
    assert endpoint.requests == PROCESSES
    assert all(login.accepted for login in place.emulator.logins)
