"""The SDK is imported and used in another thread, and sets off no garbage collection that stops all threads.

What held the loop is looked at, not for how long: a busy machine holds it as well. Of times only that is measured which
the loop's own thread has spent on a processor.
"""

import subprocess
import sys
import time

import pytest

from aws_iam_async import Credentials, CredentialsError
from aws_iam_async.credentials.source import credentials_source
from aws_iam_async.tokens.service import TokenService
from tests.credentials.conftest import SECRET_KEY, AwsHome, Endpoint

PROGRAM = """if True:
    import asyncio, gc, math, sys, threading, time

    foreign = []
    class Finder:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in {"aiobotocore", "botocore", "aiohttp"}:
                foreign.append(threading.current_thread().name)
    sys.meta_path.insert(0, Finder())
    collections = []
    def note(phase, info):
        importing = "botocore" in sys.modules and not hasattr(sys.modules.get("aiobotocore.session"), "AioSession")
        if importing or info["generation"] == 2:
            collections.append(info)
    gc.callbacks.append(note)

    if "uvloop" in sys.argv:
        import uvloop
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    from aws_iam_async import RdsTokenProvider
    host = "db.c9akciq32.eu-west-1.rds.amazonaws.com"

    async def main():
        asyncio.get_running_loop().slow_callback_duration = math.inf  # no word about callbacks that had to wait
        gc.collect()
        collections.clear()
        start = time.thread_time()
        token = await RdsTokenProvider(profile=sys.argv[1] or None).get_token(host=host, port=5432, user="app")
        busy = time.thread_time() - start
        elsewhere = bool(foreign) and "MainThread" not in foreign
        print(token.access_key_id, elsewhere, collections, gc.isenabled(), busy < 0.1 or busy)

    asyncio.run(main())
"""


async def test_a_blocking_call_is_seen() -> None:
    """Or the guard over all tests (tests/conftest.py) would show nothing."""

    async def load() -> Credentials:
        time.sleep(0)  # noqa: ASYNC251 - on purpose
        return Credentials("AKIA", "x")

    with pytest.raises(CredentialsError, match="BlockingError"):
        await TokenService().credentials(credentials_source(credentials=load))


def run(*arguments: str) -> str:
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", PROGRAM, *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_container_credentials(container: Endpoint, loop: str) -> None:
    assert run("", loop) == "ASIAEXAMPLE1 True [] True True\n"
    assert container.requests == 1


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_command(aws_home: AwsHome, loop: str) -> None:
    script = aws_home.config.with_name("tool.py")
    script.write_text(f'print(\'{{"Version": 1, "AccessKeyId": "AKIATOOL", "SecretAccessKey": "{SECRET_KEY}"}}\')')
    aws_home.config.write_text(f"[profile tool]\ncredential_process = {sys.executable} {script}\n")
    assert run("tool", loop) == "AKIATOOL True [] True True\n"
