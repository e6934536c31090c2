"""Telemetry costs nothing unless it is enabled. If its packages are missing, the error says what to install."""

import subprocess
import sys

CONNECT = """
import asyncio, sys
import aws_iam_async

async def main():
    try:
        await aws_iam_async.connect("postgresql://app@127.0.0.1:1/shop", plugins={plugins!r}, iam_region="us-east-1",
                                    iam_host="db.example", credentials=credentials)
    except Exception as error:
        print(type(error).__name__, error)

async def credentials():
    return aws_iam_async.Credentials("AKIAEXAMPLE", "of-no-interest-here")
"""


def run(program: str) -> str:
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return ran.stdout


def test_not_imported_unless_asked_for() -> None:
    program = CONNECT.format(plugins="iam") + "asyncio.run(main()); print('opentelemetry' in sys.modules)"
    assert run(program).split("\n")[-2:] == ["False", ""]


def test_the_sdk_is_not_needed() -> None:
    program = CONNECT.format(plugins="otel,iam") + "asyncio.run(main()); print('opentelemetry.sdk' in sys.modules)"
    lines = run(program).splitlines()
    assert lines[0].startswith("ConnectionRefusedError")
    assert lines[-1] == "False"


WHO_IMPORTS = """
import sys, threading

class Finder:
    def find_spec(self, name, path, target=None):
        if name == "opentelemetry":
            print("on the loop" if threading.current_thread() is threading.main_thread() else "in a thread")

sys.meta_path.insert(0, Finder())
"""


def test_the_loop_does_not_wait_for_its_import() -> None:
    program = WHO_IMPORTS + CONNECT.format(plugins="otel,iam") + "asyncio.run(main())"
    assert run(program).splitlines()[0] == "in a thread"


def test_the_extra_is_named_where_it_is_missing() -> None:
    program = "import sys; sys.modules['opentelemetry'] = None" + CONNECT.format(plugins="otel,iam")
    for manner in ("asyncio.run(main())", "aws_iam_async.PluginManager('otel,iam')"):
        told = run(f"{program}\ntry:\n    {manner}\nexcept aws_iam_async.PluginNotFoundError as error: print(error)")
        assert "pip install 'aws-iam-async[otel]'" in told
