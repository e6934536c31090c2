"""The program as a user runs it: in an interpreter of its own."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

TIMEOUT = 120.0
# A test run in the background has SIGINT ignored, and children inherit that.
INTERRUPTIBLE = "signal.signal(signal.SIGINT, signal.default_int_handler)"


@dataclass
class Program:
    """Runs ``aws-iam-async`` without the caller's AWS and PostgreSQL settings.

    Attributes:
        directory: For temporary files. Every user may read it, since servers that root starts run as ``nobody``.
        copy_data: A preparation with which servers of PostgreSQL begin with a copy of data, see ``tests/initdb.py``.
    """

    directory: Path
    copy_data: str

    def run(
        self, *arguments: str, preparation: str | None = None, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end.

        Args:
            arguments: What stands behind its name.
            preparation: Python to run first, in the same interpreter.
            environment: More variables.
        """
        return subprocess.run(
            self._command(preparation, arguments),
            env=self.environment(environment),
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )

    @contextmanager
    def started(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Start it, and see to it that it ends in time."""
        process = subprocess.Popen(
            self._command(f"{self.copy_data}; import signal; {INTERRUPTIBLE}", arguments),
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        watchdog = threading.Timer(TIMEOUT, process.terminate)
        watchdog.start()
        with process:
            yield process
            process.wait()
        watchdog.cancel()

    def left_behind(self) -> list[Path]:
        """Temporary files that are still there."""
        return list(self.directory.iterdir())

    def _command(self, preparation: str | None, arguments: tuple[str, ...]) -> list[str]:
        if preparation is None:
            return [sys.executable, "-m", "aws_iam_async", *arguments]
        code = f"import sys; {preparation}; from aws_iam_async.__main__ import main; main()"
        return [sys.executable, "-c", code, *arguments]

    def environment(self, more: dict[str, str] | None = None) -> dict[str, str]:
        """The variables that it gets."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PG"))}
        files = {name: str(self.directory / "none") for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")}
        return kept | files | {"TMPDIR": str(self.directory), "AWS_EC2_METADATA_DISABLED": "true"} | (more or {})


def lines_until(stream: IO[str] | None, start: str) -> list[str]:
    """Read lines up to one that starts so; all of them if there is none."""
    assert stream is not None
    lines = []
    for line in stream:
        lines.append(line.rstrip("\n"))
        if line.startswith(start):
            break
    return lines


@pytest.fixture(scope="module")
def program(initdb: Path) -> Iterator[Program]:
    # Not below pytest's own folder, which other users may not read.
    directory = Path(tempfile.mkdtemp(prefix="cli-"))
    directory.chmod(0o755)
    yield Program(directory, f"from tests.initdb import copy_data; copy_data({str(initdb)!r})")
    shutil.rmtree(directory)
