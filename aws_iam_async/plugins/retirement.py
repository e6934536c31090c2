"""Which pools replace their connections: what plugins find out after a statement has failed.

A driver calls ``failed()`` for each failed statement, and ``must_retire()`` when the connection is back in its pool.
"""

import asyncio
import contextlib
import inspect
import logging
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from aws_iam_async.errors import ConfigurationError
from aws_iam_async.plugins.protocol import Plugin
from aws_iam_async.request import ConnectRequest
from aws_iam_async.statistics import Counters, Hooks

_logger = logging.getLogger(__name__)

EXAMINATION_TIMEOUT = 5.0  # seconds


class Retirement:
    """The drivers' ``Watch``: tells plugins about failed statements, and pools whether to replace connections."""

    def __init__(self, plugins: Sequence[Plugin], counters: Counters, hooks: Hooks) -> None:
        self._plugins: list[Any] = [plugin for plugin in plugins if _examines(plugin)]
        self._counters = counters
        self._hooks = hooks
        self._requests: WeakKeyDictionary[Any, ConnectRequest] = WeakKeyDictionary()
        # With the plugins that suspect them.
        self._suspects: WeakKeyDictionary[Any, list[Any]] = WeakKeyDictionary()

    @property
    def is_needed(self) -> bool:
        return bool(self._plugins)

    def opened(self, connection: Any, request: ConnectRequest) -> None:
        if self._plugins:
            with contextlib.suppress(TypeError):  # a plugin may return what has no weak references; no pool accepts it
                self._requests[connection] = request

    def failed(self, connection: Any, error: BaseException) -> None:
        request = self._requests.get(connection)
        for plugin in self._plugins if request else ():
            try:
                if plugin.statement_failed(request, error) and plugin not in self._suspects.get(connection, ()):
                    self._suspects.setdefault(connection, []).append(plugin)
            except Exception:  # the caller gets the error of the statement
                _logger.exception("%s.statement_failed() failed", type(plugin).__name__)

    def is_suspect(self, connection: Any) -> bool:
        return bool(self._suspects) and connection in self._suspects

    async def must_retire(self, connection: Any) -> bool:
        request, plugins = self._requests[connection], self._suspects.pop(connection, ())
        try:
            async with asyncio.timeout(EXAMINATION_TIMEOUT):
                if not [plugin for plugin in plugins if await plugin.must_retire(request, connection)]:
                    return False
        except Exception:
            _logger.exception("All connections of a pool are replaced, because one of them could not be examined")
        self._counters.retirements += 1
        self._hooks.retirement(request)
        return True


def _examines(plugin: Plugin) -> bool:
    """Whether a plugin has both optional methods. Refuse one that has them in part or in another form."""
    failed, retire = (getattr(plugin, method, None) for method in ("statement_failed", "must_retire"))
    name = type(plugin).__name__
    if (failed is None) != (retire is None):
        raise ConfigurationError(f"plugin {name} has only one of statement_failed() and must_retire(): write both")
    if failed and inspect.iscoroutinefunction(failed):
        raise ConfigurationError(f"plugin method {name}.statement_failed() is async: write 'def statement_failed(...)'")
    if retire and not inspect.iscoroutinefunction(retire):
        raise ConfigurationError(f"plugin method {name}.must_retire() is not async: write 'async def must_retire(...)'")
    return failed is not None
