"""For every test: nothing blocks the main thread's event loop, and no registered plugin outlives its test."""

import gc
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from blockbuster import BlockBuster
from hypothesis import settings

from aws_iam_async.plugins import registry
from tests.initdb import copy_data

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


def pytest_collection_finish() -> None:
    """Let the garbage collector leave the thousands of tests alone: many of them have it look at all objects."""
    gc.collect()
    gc.freeze()


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
def initdb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory with which each server of PostgreSQL begins."""
    base = tmp_path_factory.getbasetemp()
    created = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "initdb"
    copy_data(str(created))
    return created
