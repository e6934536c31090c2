"""For every test: nothing blocks the main thread's event loop, and no registered plugin outlives its test.

Servers of PostgreSQL begin with a copy of the data that the first of them has created.
"""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from blockbuster import BlockBuster
from hypothesis import settings

from aws_iam_async.plugins import registry
from aws_iam_async.testing import PostgresServer

# No deadline: machines that test are busy. And where a change is judged, the same cases each time: the search for new
# ones is for the runs of those who can look into what it finds.
settings.register_profile("tests", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("tests")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-catalogue", action="store_true", help="write docs/attacks.md anew")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the long ones where several processes share the tests, or all would wait for the last of them."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.get_closest_marker("long") is None)


def in_another_thread_or(may_block: Callable[..., bool]) -> Callable[..., bool]:
    """Look at the main thread only. Credentials are read, and the emulator serves, in threads with their own loops."""

    def predicate(*args: Any, **kwargs: Any) -> bool:
        return threading.current_thread() is not threading.main_thread() or may_block(*args, **kwargs)

    return predicate


ALLOWED = [
    # A constructor cannot wait: a PluginManager imports the plugins that are found by entry point where it is made.
    # The module functions import them in a thread first.
    ("aws_iam_async/plugins/registry.py", {"create"}),
    # The test stands still here, on purpose, until its server has hung up.
    ("tests/drivers/aiomysql/test_tls_comes_first.py", {"last_moment"}),
]


@pytest.fixture(autouse=True, scope="session")
def blockbuster() -> Iterator[BlockBuster]:
    """Make blocking calls on the main thread's event loop raise wherever this package is on the stack."""
    guard = BlockBuster("aws_iam_async")
    for function in guard.functions.values():
        function.can_block_predicate = in_another_thread_or(function.can_block_predicate)
        for file, functions in ALLOWED:
            function.can_block_in(file, functions)
    guard.activate()
    yield guard
    guard.deactivate()


@pytest.fixture(autouse=True)
def _registrations_end_with_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry belongs to the process, has no public way to remove a plugin, and is listed in error messages."""
    monkeypatch.setattr(registry, "registered", dict(registry.registered))


@pytest.fixture(autouse=True, scope="session")
def _initdb_runs_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Copy what initdb has created: it takes more than a second of CPU time, and it is the same for all servers."""
    base = tmp_path_factory.getbasetemp()
    created = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "initdb"
    initialise = PostgresServer.initialise

    def copy(source: Path, target: Path) -> None:
        # The data belong to the account of the server, which must not change.
        subprocess.run(["cp", "-a", source, target], check=True)

    def initialise_or_copy(server: PostgresServer) -> None:
        data = server.directory / "data"
        if created.exists():
            server.binaries = server.find_binaries()
            copy(created, data)
            return
        initialise(server)
        own = base / "initdb-own"
        copy(data, own)
        try:
            own.rename(created)
        except OSError:  # another process was faster
            subprocess.run(["rm", "-r", own], check=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PostgresServer, "initialise", initialise_or_copy)
        yield
