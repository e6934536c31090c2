"""In the last seconds of credentials every login has a token of its own; a refusal still has them read anew."""

from datetime import UTC, datetime, timedelta

from aws_iam_async.credentials.credentials import Credentials
from aws_iam_async.credentials.source import source
from aws_iam_async.tokens.service import TokenService
from tests.tokens.conftest import START, Clock


async def test_a_refusal_counts_though_a_newer_token_is_at_hand(clock: Clock) -> None:
    given = ["AKIAOLD", "AKIANEW"]
    expires_at = datetime.fromtimestamp(START, UTC) + timedelta(seconds=20)

    async def credentials() -> Credentials:
        return Credentials(given.pop(0), "made-up", expires_at=expires_at)

    service = TokenService(clock=clock)
    key = service.key(
        host="db.example", port=5432, user="app", region="us-east-1", source=source(credentials=credentials)
    )
    first, _ = await service.get(key)
    second, _ = await service.get(key)
    assert first is not second
    service.reject(key, first)
    service.reject(key, first)
    third, _ = await service.get(key)
    assert [token.access_key_id for token in (first, second, third)] == ["AKIAOLD", "AKIAOLD", "AKIANEW"]
    service.reject(key, second)  # late: signed with what is gone already
    fourth, _ = await service.get(key)
    assert fourth.access_key_id == "AKIANEW"
    assert given == []
    await service.aclose()
