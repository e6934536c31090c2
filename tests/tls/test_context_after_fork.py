"""A process that forks in the middle of a build (a server with prefork workers) leaves its child able to connect.

The fork waits for the build. OpenSSL has locks of its own, and no thread of the child would release them.
"""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import asyncio, os, signal, ssl, threading
from aws_iam_async import tls
from aws_iam_async.tls import contexts

building, go, built, asking = threading.Event(), threading.Event(), [], threading.Event()
load = ssl.SSLContext.load_verify_locations

def slow(context, *args, **kwargs):
    building.set()
    go.wait(20)
    load(context, *args, **kwargs)
    built.append(context)

def connect():
    return asyncio.run(contexts.context(tls.parse("verify-full").secured()))

def ask_for_others():
    while not asking.is_set():
        asyncio.run(contexts.context(tls.parse("require").secured()))  # takes what locks there are, all the time

ssl.SSLContext.load_verify_locations = slow
threads = [threading.Thread(target=connect), threading.Thread(target=ask_for_others)]
for thread in threads:
    thread.start()
assert building.wait(20)
threading.Timer(0.1, go.set).start()
child = os.fork()
if child == 0:
    signal.alarm(20)
    ssl.SSLContext.load_verify_locations = load
    os._exit(0 if built and connect() else 1)
asking.set()
for thread in threads:
    thread.join(20)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0, status
assert connect() is connect()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
def test_a_child_forked_during_a_build_makes_its_own() -> None:
    subprocess.run([sys.executable, "-c", SCRIPT], check=True, timeout=60)
