"""A hundred thousand users through a cache of 1024: memory stays flat. ``benchmarks.many_users`` takes a million."""

from aws_iam_async.tokens.service import TokenService
from benchmarks.many_users import allocated_blocks, ask


async def test_memory_stays_flat() -> None:
    service = TokenService()
    await ask(service, range(10_000))
    before = allocated_blocks()
    await ask(service, range(10_000, 100_000))
    assert allocated_blocks() - before < 1000  # less than one block a hundred users
    statistics = service.statistics()
    assert statistics.live_tokens == 1024
    assert statistics.generations == 100_000
    assert statistics.credentials_loads == 1
