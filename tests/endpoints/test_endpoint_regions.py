"""The partitions and regions that botocore knows are the oracle; the parser itself has no list of regions."""

import json
from collections.abc import Iterator
from pathlib import Path

import botocore
import pytest

from aws_iam_async.endpoints import normalise_region, parse

NAMES = [
    "shop.c9akciq32",
    "shop.cluster-c9akciq32",
    "shop.cluster-ro-c9akciq32",
    "shop.cluster-custom-c9akciq32",
    "shop.proxy-c9akciq32",
    "shop.endpoint.proxy-c9akciq32",
    "shop.shardgrp-c9akciq32",
]


def _regions() -> Iterator[tuple[str, str]]:
    """Every region of every partition, with the partition's DNS suffix."""
    data = json.loads(Path(botocore.__file__).with_name("data").joinpath("endpoints.json").read_text("utf-8"))
    for partition in data["partitions"]:
        for region in partition["regions"]:
            yield region, partition["dnsSuffix"]


REGIONS = list(_regions())


def test_botocore_knows_all_partitions_that_are_promised() -> None:
    suffixes = {suffix for _, suffix in REGIONS}
    assert suffixes >= {"amazonaws.com", "amazonaws.com.cn", "amazonaws.eu", "c2s.ic.gov", "sc2s.sgov.gov"}


@pytest.mark.parametrize("form", ["{region}.rds", "{region}.rds-fips", "rds.{region}", "rds-fips.{region}"])
@pytest.mark.parametrize(("region", "suffix"), REGIONS)
def test_every_region_is_read_from_every_form(region: str, suffix: str, form: str) -> None:
    for name in NAMES:
        endpoint = parse(f"{name}.{form.format(region=region)}.{suffix}")
        assert endpoint is not None
        assert endpoint.region == region
        assert endpoint.host.endswith(suffix)


@pytest.mark.parametrize(("region", "suffix"), REGIONS)
def test_every_region_is_a_region(region: str, suffix: str) -> None:
    del suffix
    assert normalise_region(region) == normalise_region(region.upper()) == region


def test_a_region_that_does_not_exist_yet_is_read() -> None:
    endpoint = parse("shop.c9akciq32.moon-farside-12.rds.amazonaws.com")
    assert endpoint is not None
    assert endpoint.region == "moon-farside-12"
