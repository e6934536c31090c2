"""``demo``: show what the library does, on this machine and without AWS."""

import asyncio
import contextlib
import importlib
import tempfile
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

import aws_iam_async
from aws_iam_async import Credentials, PluginManager, Statistics
from aws_iam_async.testing.local import DATABASE, USER, LocalError, local_endpoints

if TYPE_CHECKING:
    from aws_iam_async.testing import Account, Emulator

CONNECTIONS = 100
# Modules of other extras, so that a missing one is reported before any output. The testing extra brings both: it comes
# first, since its hint then covers the other module.
REQUIRED_MODULES = ("trustme", "asyncpg")
# Seconds; about as long as a call to STS or to a busy metadata service.
SOURCE_DELAY = 0.2


@click.command(short_help="Show what the library does, on a local PostgreSQL.")
def demo() -> None:
    """Open 100 connections with one token and rotate the access key, on a local PostgreSQL.

    Needs no AWS account.
    """
    for module in REQUIRED_MODULES:
        importlib.import_module(module)
    tempfile.gettempdir()  # its first call writes a file, which an interruption would leave
    _print(f"aws_iam_async {aws_iam_async.__version__}: IAM login on this machine, without AWS")
    with contextlib.ExitStack() as stack:
        with _timed("1. Start PostgreSQL, and in front of it an emulated RDS endpoint"):
            (emulator,) = stack.enter_context(local_endpoints(["postgresql"]))
        _print(f"   {emulator.host}", f"   listens at {emulator.dial_host}:{emulator.port}")
        asyncio.run(_show(emulator))
    _print("", "All checks passed. The servers are stopped and their files removed.")


class RotatingCredentials:
    """A credentials source that is as slow as STS or a metadata endpoint, with an access key that can be rotated."""

    def __init__(self, account: "Account") -> None:
        self._account = account
        self._key = account.create_access_key(session=True)

    async def __call__(self) -> Credentials:
        """Return the current access key after a delay."""
        await asyncio.sleep(SOURCE_DELAY)
        return Credentials(self._key.access_key, self._key.secret_key, self._key.session_token)

    def rotate(self) -> None:
        revoked, self._key = self._key, self._account.create_access_key(session=True)
        self._account.revoke(revoked.access_key)


async def _show(emulator: "Emulator") -> None:
    credentials = RotatingCredentials(emulator.account)
    async with (
        PluginManager(credentials=credentials) as manager,
        manager.create_pool(
            emulator.dsn(USER, DATABASE),
            iam_host=emulator.host,
            sslrootcert=emulator.ca_file,
            min_size=0,
            max_size=CONNECTIONS,
        ) as pool,
    ):
        before = manager.statistics()
        with _timed(f"2. Open {CONNECTIONS} connections at once through a pool"):
            await _query_on_all(pool)
        before = _check_counts(before, manager.statistics(), connects=CONNECTIONS, generations=1, credentials_loads=1)

        credentials.rotate()
        with _timed("3. Revoke the access key, then query on the open connections"):
            answers = await _query_on_all(pool)
        _print(_count_line("queries answered:", answers))
        before = _check_counts(before, manager.statistics(), connects=0, generations=0, credentials_loads=0)

        await pool.expire_connections()
        with _timed(f"4. Open {CONNECTIONS} connections again, first with the old token"):
            await _query_on_all(pool)
        refused = sum(not login.accepted for login in emulator.logins)
        _print(_count_line("logins refused by the endpoint:", refused))
        if not refused:
            raise LocalError("the endpoint refused no login, although the access key was revoked")
        _check_counts(before, manager.statistics(), connects=CONNECTIONS, generations=1, credentials_loads=1)


async def _query_on_all(pool: Any) -> int:
    """Hold every connection of the pool at once, and return how many answer a query."""
    all_acquired = asyncio.Barrier(CONNECTIONS)

    async def query() -> int:
        async with pool.acquire() as connection:
            answer: int = await connection.fetchval("SELECT 1")
            await all_acquired.wait()
            return answer

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(query()) for _ in range(CONNECTIONS)]
    except ExceptionGroup as failures:
        first = failures.exceptions[0]
        raise LocalError("\n".join([f"{type(first).__name__}: {first}", *getattr(first, "__notes__", ())])) from first
    return sum(task.result() for task in tasks)


LABELS = {
    "connects": "connections made:",
    "generations": "tokens generated:",
    "credentials_loads": "times the credentials were read:",
}


def _check_counts(before: Statistics, after: Statistics, **expected: int) -> Statistics:
    """Print what the manager counted since ``before``, and return ``after``."""
    counts = {name: getattr(after, name) - getattr(before, name) for name in expected}
    _print(*(_count_line(LABELS[name], count) for name, count in counts.items()))
    for name, count in counts.items():
        if count != expected[name]:
            raise LocalError(f"{LABELS[name]} {count}, expected {expected[name]}")
    return after


@contextlib.contextmanager
def _timed(step: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    _print("", f"{step:<68}{time.perf_counter() - start:>8.2f} s")


def _count_line(label: str, count: int) -> str:
    return f"   {label:<36}{count:>4}"


def _print(*lines: str) -> None:
    for line in lines:
        click.echo(line)
