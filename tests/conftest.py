"""Settings and fixtures for all tests.

A test fails if the package blocks the main thread's event loop. Plugins that a test registers are removed after it.
"""

import gc
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from blockbuster import BlockBuster
from botocore.loaders import JSONFileLoader
from hypothesis import settings

from aws_iam_async.plugins import registry
from tests.initdb import copy_data

# There is no deadline, because test machines are busy. CI runs the same cases each time, so that a change does not fail
# because of an older defect. Local runs search for new cases.
settings.register_profile("tests", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("tests")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-catalogue", action="store_true", help="rewrite docs/attacks.md")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run the long tests first if several processes share the tests. Otherwise all processes wait for the last one."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_collection_finish() -> None:
    """Exclude the collected tests from garbage collection. Many tests call ``gc.collect()``, which is faster then."""
    gc.collect()
    gc.freeze()


def in_another_thread_or(may_block: Callable[..., bool]) -> Callable[..., bool]:
    """Allow blocking calls in other threads. The emulator and some reads of credentials run in threads of their own."""

    def predicate(*args: Any, **kwargs: Any) -> bool:
        return threading.current_thread() is not threading.main_thread() or may_block(*args, **kwargs)

    return predicate


ALLOWED = [
    # The constructor of PluginManager imports the plugins of entry points, and a constructor cannot await.
    # The module functions import them in a thread first.
    ("aws_iam_async/plugins/registry.py", {"create"}),
    # This test blocks on purpose until its server has closed the connection.
    ("tests/drivers/aiomysql/test_tls_comes_first.py", {"last_moment"}),
]


@pytest.fixture(autouse=True, scope="session")
def blockbuster() -> Iterator[BlockBuster]:
    """Let blocking calls on the main thread's event loop raise an error if this package is on the stack."""
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
    """Restore the plugin registry after each test.

    The registry is global, error messages list it, and it has no public function that removes a plugin.
    """
    monkeypatch.setattr(registry, "registered", dict(registry.registered))


@pytest.fixture(autouse=True, scope="session")
def _sdk_files_are_parsed_once() -> Iterator[None]:
    """Parse each JSON file of botocore once in a process. Otherwise, each session parses them again."""
    files: dict[str, Any] = {}
    parse = JSONFileLoader.load_file

    def load_file(loader: JSONFileLoader, path: str) -> Any:
        if path not in files:
            files[path] = parse(loader, path)
        return files[path]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", load_file)
        yield


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of one run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(autouse=True, scope="session")
def initdb(shared_folder: Path) -> Path:
    """The data directory that each PostgreSQL server copies when it starts."""
    template = shared_folder / "initdb"
    copy_data(str(template))
    return template
