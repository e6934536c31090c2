"""A program that is named like a driver's library is refused: it would be imported instead of the library, and run."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import asyncio
import aws_iam_async

async def main():
    await aws_iam_async.connect(driver={driver!r}, host="127.0.0.1", port=1, user="app", plugins="")

asyncio.run(main())
"""


@pytest.mark.parametrize("driver", ["asyncpg", "aiomysql", "psycopg"])
def test_it_is_refused(driver: str, tmp_path: Path) -> None:
    program = tmp_path / f"{driver}.py"
    program.write_text(PROGRAM.format(driver=driver))
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr.splitlines()[-1] == (
        "aws_iam_async.errors.ConfigurationError:"
        f" the program {driver}.py has the name of the driver's library: rename it"
    )
