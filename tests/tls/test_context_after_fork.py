"""A process that forks in the middle of a build (a server with prefork workers) leaves its child able to connect.

The fork waits for the build: OpenSSL has locks of its own, which nobody would release in the child.
"""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import asyncio, os, signal, threading
from aws_iam_async import tls, trust
from aws_iam_async.trust import contexts

cache = contexts.shared
real, building, go, built = cache._build, threading.Event(), threading.Event(), []

def slow(setting):
    building.set()
    go.wait(20)
    context = real(setting)
    built.append(context)
    return context

def connect():
    return asyncio.run(trust.context(tls.read("require").secured()))

cache._build = slow
thread = threading.Thread(target=connect)
thread.start()
assert building.wait(20)
threading.Timer(0.1, go.set).start()
with cache._lock:  # as if another thread held it at this very moment
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        cache._build = real
        os._exit(0 if built and connect() not in built else 1)
thread.join(20)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0, status
assert connect() is connect()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
def test_a_child_forked_during_a_build_makes_its_own() -> None:
    subprocess.run([sys.executable, "-c", SCRIPT], check=True, timeout=60)
