"""Measures the time of signing a token for a new user, on the same day and in the same region."""

import asyncio
import hashlib
import hmac
import itertools
import os

from aws_iam_async import Credentials, RdsTokenProvider
from aws_iam_async.credentials.source import DEFAULT_CHAIN
from aws_iam_async.tokens.sigv4 import presign
from aws_iam_async.tokens.token import TokenKey
from benchmarks import interleaved, peers, stubbed_driver
from benchmarks.line import Line, Target
from benchmarks.warm_connect import KEY, OURS

TURNS = 300
LIMIT = "bare hmac"
BOTOCORE = "botocore SigV4QueryAuth"


def measure() -> list[Line]:
    """Run the benchmark."""
    os.environ |= KEY
    return asyncio.run(_measure())


async def _measure() -> list[Line]:
    from botocore.auth import SigV4QueryAuth  # noqa: PLC0415 - only the environment of the benchmarks has it
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415 - as above
    from botocore.credentials import Credentials as SdkCredentials  # noqa: PLC0415 - as above

    users = itertools.count()
    provider = RdsTokenProvider()
    keys = KEY["AWS_ACCESS_KEY_ID"], KEY["AWS_SECRET_ACCESS_KEY"]
    credentials = Credentials(*keys)
    signer = SigV4QueryAuth(SdkCredentials(*keys), "rds-db", stubbed_driver.REGION, 900)

    async def bare() -> None:
        """Compute the hash and the HMAC that every signature needs, with the strings already built."""
        canonical = f"GET\n/\n{'x' * 300}{next(users)}"
        hmac.digest(b"k" * 32, hashlib.sha256(canonical.encode()).hexdigest().encode(), "sha256").hex()

    async def signature() -> None:
        user = f"user{next(users)}"
        key = TokenKey(stubbed_driver.HOST, 5432, user, stubbed_driver.REGION, DEFAULT_CHAIN)
        presign(key, credentials, issued=1_800_000_000)

    async def ours() -> None:
        await provider.get_token(host=stubbed_driver.HOST, port=5432, user=f"user{next(users)}")

    async def botocore() -> None:
        url = f"https://{stubbed_driver.HOST}:5432/?Action=connect&DBUser=user{next(users)}"
        signer.add_auth(AWSRequest("GET", url))

    async with peers.rds_client() as client:
        subjects: interleaved.Subjects = {
            LIMIT: bare,
            f"{OURS}, the text alone": signature,
            f"{OURS}, get_token": ours,
            BOTOCORE: botocore,
            "aiobotocore, one client": lambda: peers.by_hand(client, f"user{next(users)}"),
        }
        for subject in subjects.values():
            await subject()
        spreads = await interleaved.measure(subjects, turns=TURNS)
    get_token = spreads[f"{OURS}, get_token"].median
    targets = [Target("get_token, of SigV4QueryAuth", get_token / spreads[BOTOCORE].median, 0.5)]
    return [Line("token for a new user", "µs", spreads, targets)]
