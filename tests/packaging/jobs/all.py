"""Everything at once: each module can be imported, both databases can be reached, and the demonstration runs."""

import asyncio
import importlib
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import aws_iam_async


async def main() -> None:
    async with (
        aws_iam_async.connect(os.environ["POSTGRES"]) as postgres,
        aws_iam_async.connect(os.environ["MYSQL"]) as mysql,
    ):
        assert await postgres.fetchval("SELECT 1") == 1
        await mysql.ping()


for module in pkgutil.walk_packages(aws_iam_async.__path__, "aws_iam_async."):
    importlib.import_module(module.name)
asyncio.run(main())
subprocess.run([Path(sys.executable).with_name("aws-iam-async"), "demo"], check=True)
