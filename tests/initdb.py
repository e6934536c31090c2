"""Lets PostgreSQL servers start with a copy of one data directory.

initdb takes more than 1 second of CPU time, and it creates the same files each time.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from aws_iam_async.testing import PostgresServer

_initialise = PostgresServer.initialise


def copy_data(path: str) -> None:
    """Let all servers of this process start with a copy of a data directory.

    Args:
        path: The data directory to copy. Several processes can share it. The first server creates it.
    """
    template = Path(path)

    def initialise(server: PostgresServer) -> None:
        data = server.directory / "data"
        if template.exists():
            server.binaries = server.find_binaries()
            _copy(template, data)
            return
        _initialise(server)
        temporary = Path(tempfile.mkdtemp(dir=template.parent))
        _copy(data, temporary / "data")
        try:
            (temporary / "data").rename(template)
        except OSError:  # another process was faster
            pass
        finally:
            shutil.rmtree(temporary)

    PostgresServer.initialise = initialise  # type: ignore[assignment, method-assign]  # on purpose


def _copy(source: Path, target: Path) -> None:
    # Keep the owner: the files belong to the account that runs the server.
    subprocess.run(["cp", "-a", source, target], check=True)
