"""A process forks while another thread imports the SDK, or a driver: the child can import it too."""

import subprocess
import sys

import pytest

from tests.credentials.conftest import SECRET_KEY, AwsHome

PROGRAM = """if True:
    import asyncio, os, signal, sys, threading
    from aws_iam_async import drivers, offload
    from aws_iam_async.credentials import sdk

    importing, forking = threading.Event(), threading.Event()

    class Finder:
        def find_spec(self, name, path=None, target=None):
            if name == sys.argv[1] and not importing.is_set():
                importing.set()
                forking.wait(20)

    sys.meta_path.insert(0, Finder())

    def use():
        if sys.argv[1] == "botocore.session":
            return sdk.read("mine").credentials.access_key
        return asyncio.run(drivers.load("asyncpg")).__name__

    if sys.argv[2:]:
        __import__(sys.argv[2])
    here = offload.start(use, name="test")
    assert importing.wait(20)
    forking.set()
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        try:
            print(use(), flush=True)
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    print(here.result(20), flush=True)
"""


@pytest.mark.parametrize(
    ("imported", "found"),
    [
        (["botocore.session"], "AKIAMINE"),
        (["asyncpg.connection"], "AsyncpgDriver"),
        (["aws_iam_async.trust.contexts", "asyncpg"], "AsyncpgDriver"),  # an application imports its driver itself
    ],
)
def test_the_child_imports_it_as_well(aws_home: AwsHome, imported: list[str], found: str) -> None:
    aws_home.credentials.write_text(f"[mine]\naws_access_key_id = AKIAMINE\naws_secret_access_key = {SECRET_KEY}\n")
    command = [sys.executable, "-W", "error", "-W", "ignore:.*use of fork:DeprecationWarning", "-c", PROGRAM, *imported]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (done.stdout.split(), done.stderr) == ([found, found], "")
