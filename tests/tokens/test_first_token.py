"""The SDK is imported in another thread for the first token. Cancelling one caller does not affect the others.

A caller that waits while its provider closes still gets a token, which is not renewed.
"""

import subprocess
import sys

from tests.credentials.conftest import AwsHome, aws_home

__all__ = ["aws_home"]

PROGRAM = """if True:
    import asyncio, sys, threading
    from aws_iam_async import RdsTokenProvider

    importing, going_on = threading.Event(), threading.Event()
    threads = []

    class Finder:
        def find_spec(self, name, path=None, target=None):
            if name == "aiobotocore":
                threads.append(threading.current_thread())
                importing.set()
                assert going_on.wait(20)

    sys.meta_path.insert(0, Finder())

    async def ask(provider):
        token = await provider.get_token(host="db.c9akciq32.eu-west-1.rds.amazonaws.com", port=5432, user="app")
        return token.access_key_id

    async def main():
        shared, closed = RdsTokenProvider(), RdsTokenProvider(refresh="background")
        leaving, staying, late = (asyncio.create_task(ask(one)) for one in (shared, shared, closed))
        while not importing.is_set():
            await asyncio.sleep(0.001)
        leaving.cancel()
        await closed.aclose()
        going_on.set()
        outcomes = await asyncio.gather(leaving, staying, late, ask(shared), return_exceptions=True)
        print([type(outcome).__name__ if isinstance(outcome, BaseException) else outcome for outcome in outcomes])
        print({thread is threading.main_thread() for thread in threads}, len(asyncio.all_tasks()))

    asyncio.run(main())
"""


def test_cancelled_and_closed_while_it_is_imported(aws_home: AwsHome) -> None:
    aws_home.credentials.write_text("[default]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = example\n")
    command = [sys.executable, "-X", "dev", "-W", "error", "-W", "ignore::DeprecationWarning", "-c", PROGRAM]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "['CancelledError', 'AKIAEXAMPLE', 'AKIAEXAMPLE', 'AKIAEXAMPLE']",
        "{False} 1",
    ]


WITHOUT_THREADS = """if True:
    import asyncio, os, threading
    from aws_iam_async import RdsTokenProvider

    def start(thread):
        raise RuntimeError("can't start new thread")

    threading.Thread.start = start
    os.environ |= {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example"}
    coming = RdsTokenProvider().get_token(host="db.c9akciq32.eu-west-1.rds.amazonaws.com", port=5432, user="app")
    print(asyncio.run(coming).access_key_id)
"""


def test_where_no_thread_can_be_started() -> None:
    command = [sys.executable, "-W", "error", "-c", WITHOUT_THREADS]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("AKIAEXAMPLE\n", "")
