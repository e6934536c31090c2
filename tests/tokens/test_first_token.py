"""What makes tokens is imported for the first one, in another thread: leaving meanwhile changes nothing for others.

Who waits when a provider is closed still gets a token; no timer is set for it.
"""

import subprocess
import sys

PROGRAM = """if True:
    import asyncio, os, sys, threading
    from aws_iam_async.tokens.rds import RdsTokenProvider

    importing, going_on = threading.Event(), threading.Event()
    threads = []

    class Finder:
        def find_spec(self, name, path=None, target=None):
            if name == "aws_iam_async.tokens.on_loop":
                threads.append(threading.current_thread().name)
                importing.set()
                assert going_on.wait(20)

    sys.meta_path.insert(0, Finder())
    os.environ |= {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example"}

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
        timers = [handle for handle in asyncio.get_running_loop()._scheduled if not handle.cancelled()]
        print(threads, shared.statistics().generations, timers)

    asyncio.run(main())
"""


def test_cancelled_and_closed_while_it_is_imported() -> None:
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", PROGRAM]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "['CancelledError', 'AKIAEXAMPLE', 'AKIAEXAMPLE', 'AKIAEXAMPLE']",
        "['aws_iam_async import aws_iam_async.tokens.on_loop'] 1 []",
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
