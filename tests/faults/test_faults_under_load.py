"""A pool under load comes through every fault: at full size soon after, no statement lost, none run twice."""

import pytest

from aws_iam_async import PluginManager
from tests.faults.faults import FAULTS
from tests.faults.leaks import Leaks
from tests.faults.load import loaded
from tests.faults.site import Site

pytestmark = pytest.mark.long


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_pool_recovers(place: Site, manager: PluginManager, leaks: Leaks, fault: str) -> None:
    async with loaded(place, manager) as load:
        await load.progress(50)
        await FAULTS[fault](place)
        await load.at_full_size()
        await load.progress(50)
    await leaks.none()
