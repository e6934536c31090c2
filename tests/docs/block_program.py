"""Runs a code block from standard input as it is written, where the hosts that the docs speak of lead to emulators.

It is a program of its own, so that a block meets a fresh interpreter, as it does at its reader's.
"""

import ast
import asyncio
import functools
import inspect
import json
import logging
import os
import sys
from types import ModuleType
from typing import Any

LOOPBACK = "127.0.0.1"


def redirect(ports: dict[str, int]) -> None:
    """Let connections to the hosts of the docs go to ports of this machine, and those to any other host nowhere.

    Args:
        ports: Ports here by ``host:port`` there.
    """
    dial = asyncio.BaseEventLoop.create_connection

    async def create_connection(
        self: asyncio.BaseEventLoop, protocol_factory: Any, host: Any = None, port: Any = None, **options: Any
    ) -> Any:
        if host not in {None, LOOPBACK}:
            if f"{host}:{port}" not in ports:
                raise AssertionError(f"no emulator stands for {host}:{port}")
            host, port = LOOPBACK, ports[f"{host}:{port}"]
        return await dial(self, protocol_factory, host, port, **options)

    asyncio.BaseEventLoop.create_connection = create_connection  # type: ignore[method-assign]  # on purpose


def redirect_libpq(ports: dict[str, int]) -> None:
    """Do the same for psycopg: libpq dials by itself, and gets the address and the name to verify from the driver."""
    import psycopg  # noqa: PLC0415 - only blocks that use it pay for it

    look_up = asyncio.BaseEventLoop.getaddrinfo
    connect = psycopg.AsyncConnection.connect.__func__  # type: ignore[attr-defined]  # it is a class method

    async def getaddrinfo(self: asyncio.BaseEventLoop, host: Any, port: Any, **options: Any) -> Any:
        known = f"{host}:{port}" in ports
        return await look_up(self, LOOPBACK if known else host, port, **options)

    @functools.wraps(connect)  # the driver reads psycopg's keywords from the signature
    async def connect_here(cls: Any, /, conninfo: str = "", **options: Any) -> Any:
        address = f"{options['host']}:{options['port']}"
        return await connect(cls, conninfo, **options | {"hostaddr": LOOPBACK, "port": ports[address]})

    asyncio.BaseEventLoop.getaddrinfo = getaddrinfo  # type: ignore[method-assign]  # on purpose
    psycopg.AsyncConnection.connect = classmethod(connect_here)  # type: ignore[assignment, method-assign]  # the same


def main() -> None:
    """Run the block. It can contain ``await`` outside functions, as in ``python -m asyncio``."""
    text, ports = sys.stdin.read(), json.loads(os.environ["DOCS_PORTS"])
    # In development mode asyncio logs what a busy machine takes long for.
    logging.getLogger("asyncio").addFilter(lambda record: not record.getMessage().startswith("Executing <"))
    redirect(ports)
    if "psycopg" in text:
        redirect_libpq(ports)
    code = compile(text, "<block>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    module = sys.modules["__main__"] = ModuleType("__main__")  # as if the block were the program
    result = eval(code, vars(module))
    if inspect.iscoroutine(result):
        asyncio.run(result)


if __name__ == "__main__":
    main()
