"""What a token for a new user does, with credentials at hand and a full cache."""

from typing import Any

import pytest

from aws_iam_async import RdsTokenProvider
from aws_iam_async.tokens.service import DEFAULT_MAXSIZE
from aws_iam_async.tokens.sigv4 import presign
from tests.speed.counting import called

# Raise it for a reason only.
MOST_CALLS = 16
PLACE: Any = {"host": "shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com", "port": 5432}


async def test_a_token_for_a_new_user_calls_few_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    provider = RdsTokenProvider()
    for number in range(DEFAULT_MAXSIZE + 1):
        await provider.get_token(**PLACE, user=f"user{number}")
    calls = await called(lambda: provider.get_token(**PLACE, user="app"))
    assert calls[presign.__code__] == 1
    listing = "\n".join(f"{count} {code.co_qualname} {code.co_filename}" for code, count in calls.items())
    assert calls.total() <= MOST_CALLS, listing
