"""``demo``: what the library does, shown on this machine alone."""

import asyncio
import contextlib
import importlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

import aws_iam_async
from aws_iam_async import Credentials, PluginManager, Statistics
from aws_iam_async.cli.command_error import CommandError
from aws_iam_async.cli.local_endpoint import DATABASE, USER, local_endpoint

if TYPE_CHECKING:
    from aws_iam_async.testing import Account, Emulator

CONNECTIONS = 100
# Of other extras: what is missing is said before anything is shown.
NEEDED = ("trustme", "asyncpg")  # what comes with the testing extra alone first: that brings the others, too
# Seconds; about what a call to STS or to a busy metadata service takes.
SOURCE_DELAY = 0.2


@click.command(short_help="Show what the library does, on a local PostgreSQL.")
def demo() -> None:
    """Show 100 connects with one token, and a key rotation, on a local PostgreSQL.

    Needs no AWS account.
    """
    for module in NEEDED:
        importlib.import_module(module)
    _say(f"aws_iam_async {aws_iam_async.__version__}: IAM login on this machine alone, without AWS")
    with contextlib.ExitStack() as stack:
        with _timed("1. Start PostgreSQL, and in front of it an emulated RDS endpoint"):
            emulator = stack.enter_context(local_endpoint("postgresql"))
        _say(f"   {emulator.host}", f"   is here {emulator.dial_host}:{emulator.port}")
        asyncio.run(_show(emulator))
    _say("", "Everything held. Servers stopped, their files removed.")


class _CredentialsSource:
    """Stands for STS, a container's or an instance's endpoint: slow, and now and then with a new key."""

    def __init__(self, account: "Account") -> None:
        self._account = account
        self._key = account.create_access_key(session=True)

    async def __call__(self) -> Credentials:
        await asyncio.sleep(SOURCE_DELAY)
        return Credentials(self._key.access_key, self._key.secret_key, self._key.session_token)

    def rotate(self) -> None:
        """Have a new key from now on; the old one is revoked."""
        old, self._key = self._key, self._account.create_access_key(session=True)
        self._account.revoke(old.access_key)


async def _show(emulator: "Emulator") -> None:
    source = _CredentialsSource(emulator.account)
    async with (
        PluginManager(credentials=source) as manager,
        manager.create_pool(
            emulator.dsn(USER, DATABASE),
            iam_host=emulator.host,
            sslrootcert=emulator.ca_file,
            min_size=0,
            max_size=CONNECTIONS,
        ) as pool,
    ):
        before = manager.statistics()
        with _timed(f"2. Connect {CONNECTIONS} times at once through a pool"):
            await _use_all(pool)
        before = _report(before, manager.statistics(), connects=CONNECTIONS, generations=1, credentials_loads=1)

        source.rotate()
        with _timed("3. Rotate: the access key is revoked. The open connections"):
            answers = await _use_all(pool)
        _say(_line("queries that they answer as before:", answers))
        before = _report(before, manager.statistics(), connects=0, generations=0, credentials_loads=0)

        await pool.expire_connections()
        with _timed(f"4. Connect {CONNECTIONS} times again, at first with the old token"):
            await _use_all(pool)
        refused = sum(not login.accepted for login in emulator.logins)
        _say(_line("logins that the endpoint refused:", refused))
        if not refused:
            raise CommandError("the endpoint refused no login, though the access key had been revoked")
        _report(before, manager.statistics(), connects=CONNECTIONS, generations=1, credentials_loads=1)


async def _use_all(pool: Any) -> int:
    """Have every connection of the pool answer a query, all of them taken at once, and return how many did.

    Raises:
        CommandError: One could not be made, or did not answer.
    """
    all_taken = asyncio.Barrier(CONNECTIONS)

    async def use_one() -> int:
        async with pool.acquire() as connection:
            answer: int = await connection.fetchval("SELECT 1")
            await all_taken.wait()
            return answer

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(use_one()) for _ in range(CONNECTIONS)]
    except ExceptionGroup as failures:
        first = failures.exceptions[0]
        raise CommandError("\n".join([f"{type(first).__name__}: {first}", *getattr(first, "__notes__", ())])) from first
    return sum(task.result() for task in tasks)


LABELS = {
    "connects": "connections made:",
    "generations": "tokens generated:",
    "credentials_loads": "times the credentials were read:",
}


def _report(before: Statistics, after: Statistics, **expected: int) -> Statistics:
    """Show what the manager counted since ``before``.

    Raises:
        CommandError: It is not what was expected.
    """
    counted = {name: getattr(after, name) - getattr(before, name) for name in expected}
    _say(*(_line(LABELS[name], count) for name, count in counted.items()))
    for name, count in counted.items():
        if count != expected[name]:
            raise CommandError(f"{LABELS[name]} {count}, where {expected[name]} should be")
    return after


@contextlib.contextmanager
def _timed(step: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    _say("", f"{step:<68}{time.perf_counter() - start:>8.2f} s")


def _line(label: str, count: int) -> str:
    return f"   {label:<36}{count:>4}"


def _say(*lines: str) -> None:
    for line in lines:
        click.echo(line)
