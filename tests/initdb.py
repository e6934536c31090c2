"""Servers of PostgreSQL begin with a copy of the data that the first of them has created.

initdb takes more than a second of CPU time, and what it creates is the same for all of them.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from aws_iam_async.testing import PostgresServer

_initialise = PostgresServer.initialise


def copy_data(path: str) -> None:
    """Let all servers of this process begin with a copy.

    Args:
        path: The data directory to copy. Processes may share it. The first server in any of them creates it.
    """
    created = Path(path)

    def initialise(server: PostgresServer) -> None:
        data = server.directory / "data"
        if created.exists():
            server.binaries = server.find_binaries()
            _copy(created, data)
            return
        _initialise(server)
        own = Path(tempfile.mkdtemp(dir=created.parent))
        _copy(data, own / "data")
        try:
            (own / "data").rename(created)
        except OSError:  # another process was faster
            pass
        finally:
            shutil.rmtree(own)

    PostgresServer.initialise = initialise  # type: ignore[assignment, method-assign]  # on purpose


def _copy(source: Path, target: Path) -> None:
    # The data belong to the account of the server, which must not change.
    subprocess.run(["cp", "-a", source, target], check=True)
