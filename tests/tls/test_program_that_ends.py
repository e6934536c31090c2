"""A program that ends while a TLS context is being built waits for it: OpenSSL would crash in the thread."""

import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, ssl, sys, time
import aws_iam_async
from aws_iam_async import Credentials, ConnectRequest

load = ssl.SSLContext.load_verify_locations

def slow(context, *args, **kwargs):
    print("builds", flush=True)
    time.sleep(float(sys.argv[1]))
    load(context, *args, **kwargs)
    print("built", flush=True)

ssl.SSLContext.load_verify_locations = slow

class RequestOnly:
    async def connect(self, request, call_next):
        await asyncio.sleep(0.05)
        return request

async def credentials():
    return Credentials("AKIAEXAMPLE", "example")

asyncio.run(aws_iam_async.connect(
    "postgresql://app@shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com/shop",
    plugins=["iam", RequestOnly()], credentials=credentials,
))
print("ends", flush=True)
"""


@pytest.mark.parametrize(("seconds", "printed"), [("0.3", ["builds", "ends", "built"]), ("600", ["builds", "ends"])])
def test_it_waits_for_the_context_but_not_for_long(seconds: str, printed: list[str]) -> None:
    command = [sys.executable, "-c", PROGRAM, seconds]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.split() == printed
