"""In Python's development mode, with asyncio's debug mode and warnings as errors, the main job has nothing to say."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.credentials.conftest import AwsHome, Endpoint
from tests.faults.container import serve
from tests.faults.site import LOOPS, Site

SECONDS = 60
STRICT = ["-X", "dev", "-W", "error"]


@pytest.fixture(params=["environment", "endpoint"])
def credentials(request: pytest.FixtureRequest, place: Site, aws_home: AwsHome, endpoint: Endpoint) -> None:
    """Without the AWS SDK, and with it."""
    if request.param == "endpoint":
        serve(place, aws_home, endpoint)


@pytest.mark.usefixtures("credentials")
@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_silent(place: Site) -> None:
    program = Path(__file__).with_name("main_job.py")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *STRICT, str(program), place.driver, *LOOPS),
        env={**os.environ, **place.environment, "PYTHONASYNCIODEBUG": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(SECONDS):
        output, errors = await process.communicate()
    assert (process.returncode, errors.decode()) == (0, "")
    assert output == b"generations=1 connects=15\n" * len(LOOPS)
