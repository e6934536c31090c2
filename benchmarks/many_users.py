"""Measures memory while a million database users get one token each through a cache of 1024 tokens.

``python -m benchmarks.many_users`` prints the allocated memory after every 100,000 users.
"""

import argparse
import asyncio
import gc
import resource
import sys
import time

from aws_iam_async.credentials.credentials import Credentials
from aws_iam_async.credentials.source import credentials_source
from aws_iam_async.tokens.service import TokenService
from aws_iam_async.tokens.token import TokenKey


async def load() -> Credentials:
    """Return the same credentials each time."""
    return Credentials("AKIAIOSFODNN7EXAMPLE", "example")


SOURCE = credentials_source(credentials=load)


async def get_tokens(service: TokenService, users: range) -> None:
    """Get a token for each of these users, 100 of them at once, and some tokens twice."""
    for first in range(users.start, users.stop, 100):
        keys = [
            TokenKey("db.example", 5432, f"user{user}", "us-east-1", SOURCE, 900) for user in range(first, first + 100)
        ]
        await asyncio.gather(*(service.get(key) for key in keys), *(service.get(key) for key in keys[:10]))


def allocated_blocks() -> int:
    """Return the number of memory blocks that Python has allocated, after a garbage collection."""
    gc.collect()
    return sys.getallocatedblocks()


async def main(users: int) -> None:
    """Get the tokens, and print a table."""
    service = TokenService()
    start = time.perf_counter()
    print("   users   live tokens   blocks   peak memory")
    for first in range(0, users, 100_000):
        await get_tokens(service, range(first, min(first + 100_000, users)))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        live = service.statistics().live_tokens
        print(f"{min(first + 100_000, users):>8,} {live:>13,} {allocated_blocks():>8,} {peak:>9.1f} MiB")
    print(f"{(time.perf_counter() - start) / users * 1e6:.0f} us for each user")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.many_users", description=__doc__)
    parser.add_argument("--users", type=int, default=1_000_000, help="default: a million")
    asyncio.run(main(parser.parse_args().users))
