"""Memory does not grow while 100,000 users share a cache of 1024 tokens. ``benchmarks.many_users`` runs a million."""

from aws_iam_async.tokens.service import TokenService
from benchmarks.many_users import allocated_blocks, get_tokens


async def test_memory_stays_flat() -> None:
    service = TokenService()
    await get_tokens(service, range(10_000))
    before = allocated_blocks()
    await get_tokens(service, range(10_000, 100_000))
    assert allocated_blocks() - before < 1000  # less than one block for 100 users
    statistics = service.statistics()
    assert statistics.live_tokens == 1024
    assert statistics.generations == 100_000
    assert statistics.credentials_loads == 1
