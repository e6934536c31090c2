"""A process forks while another thread imports the SDK, or a driver: the child can import it too."""

import subprocess
import sys

import pytest

from tests.credentials.conftest import SECRET_KEY, AwsHome

PROGRAM = """if True:
    import asyncio, os, signal, socket, sys, threading
    from concurrent.futures import ThreadPoolExecutor
    from aws_iam_async import RdsTokenProvider, connect

    importing, forking = threading.Event(), threading.Event()

    class Finder:
        def find_spec(self, name, path=None, target=None):
            if name == sys.argv[1] and not importing.is_set():
                importing.set()
                forking.wait(20)

    sys.meta_path.insert(0, Finder())

    server = socket.create_server(("127.0.0.1", 0))  # it never answers
    port = server.getsockname()[1]
    host = "db.c9akciq32.eu-west-1.rds.amazonaws.com"

    async def ask():
        if sys.argv[1] == "botocore.session":
            return (await RdsTokenProvider(profile="mine").get_token(host=host, port=5432, user="app")).access_key_id
        try:
            # No TLS and no DNS: a fork while asyncpg 0.32 builds a context or looks up a host leaves the child a lock.
            await connect(f"postgresql://app@127.0.0.1:{port}/shop", plugins="", timeout=0, ssl=False)
        except OSError as error:  # a time-out is one: with a driver there was something that took its time
            return type(error).__name__

    def use():
        return asyncio.run(ask())

    if sys.argv[2:]:
        __import__(sys.argv[2])
    here = ThreadPoolExecutor().submit(use)
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
    server.close()  # CPython 3.13 reports it at exit
"""


@pytest.mark.parametrize(
    ("imported", "found"),
    [
        (["botocore.session"], "AKIAMINE"),
        (["asyncpg.connection"], "TimeoutError"),
    ],
)
def test_the_child_imports_it_as_well(aws_home: AwsHome, imported: list[str], found: str) -> None:
    aws_home.credentials.write_text(f"[mine]\naws_access_key_id = AKIAMINE\naws_secret_access_key = {SECRET_KEY}\n")
    command = [sys.executable, "-W", "error", "-W", "ignore:.*use of fork:DeprecationWarning", "-c", PROGRAM, *imported]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (done.stdout.split(), done.stderr) == ([found, found], "")
