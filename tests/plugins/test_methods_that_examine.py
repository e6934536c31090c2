"""A plugin that examines connections has both methods, in the form in which they are called."""

from typing import Any

import pytest

from aws_iam_async import ConfigurationError, ConnectRequest, PluginManager
from aws_iam_async.plugins.protocol import ConnectNext


class Passing:
    async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:
        return await call_next(request)


class OnlyOne(Passing):
    def statement_failed(self, *_: object) -> bool:
        return True


class AsyncFailed(OnlyOne):
    async def statement_failed(self, *_: object) -> bool:  # type: ignore[override]  # wrong on purpose
        return True

    async def must_retire(self, *_: object) -> bool:
        return True


class PlainRetire(OnlyOne):
    def must_retire(self, *_: object) -> bool:
        return True


@pytest.mark.parametrize(
    ("plugin", "problem"),
    [
        (OnlyOne(), r"plugin OnlyOne has only one of statement_failed\(\) and must_retire\(\): write both"),
        (AsyncFailed(), r"AsyncFailed\.statement_failed\(\) is async: write 'def statement_failed"),
        (PlainRetire(), r"PlainRetire\.must_retire\(\) is not async: write 'async def must_retire"),
    ],
)
def test_another_form_is_refused(plugin: Passing, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        PluginManager(plugins=[plugin])
