"""``Statistics.as_dict()`` goes to JSON and to metrics as it is."""

import json
from datetime import UTC, datetime, timedelta

from aws_iam_async import Credentials, RdsTokenProvider, Statistics

HOST = "shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com"


async def statistics() -> Statistics:
    async def load() -> Credentials:
        return Credentials("ASIAEXAMPLE", "x", "y", datetime.now(UTC) + timedelta(hours=1))

    async with RdsTokenProvider(credentials=load, refresh="background") as provider:
        await provider.get_token(host=HOST, port=5432, user="app")
        return provider.statistics()


async def test_it_goes_to_json_and_back() -> None:
    values = (await statistics()).as_dict()
    assert json.loads(json.dumps(values)) == values


async def test_each_value_is_a_number_or_none() -> None:
    for name, value in (await statistics()).as_dict().items():
        assert value is None or type(value) in {int, float}, name


async def test_times_are_seconds_since_the_epoch() -> None:
    taken = await statistics()
    assert taken.next_token_expiry is not None
    assert taken.next_credentials_expiry is not None
    values = taken.as_dict()
    assert list(values) == list(Statistics.__annotations__)
    assert values["next_token_expiry"] == taken.next_token_expiry.timestamp()
    assert values["next_credentials_expiry"] == taken.next_credentials_expiry.timestamp()
    assert values["generations"] == taken.generations == 1


async def test_without_tokens_there_are_no_times() -> None:
    async with RdsTokenProvider(refresh="background") as provider:
        values = provider.statistics().as_dict()
    assert values["next_token_expiry"] is values["next_credentials_expiry"] is None
