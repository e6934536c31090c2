import pytest

from aws_iam_async.endpoints import Endpoint, parse

KINDS = {
    "shop.c9akciq32": "instance",
    "shop.cluster-c9akciq32": "cluster",
    "shop.cluster-ro-c9akciq32": "cluster-ro",
    "reports.cluster-custom-c9akciq32": "cluster-custom",
    "pooled.proxy-c9akciq32": "proxy",
    "endpoint.proxy-c9akciq32": "proxy",
    "readers.endpoint.proxy-c9akciq32": "proxy-endpoint",
    "limitless.shardgrp-c9akciq32": "shardgrp",
    # An instance may be called anything, the words of the other kinds included.
    "cluster-ro-1.c9akciq32": "instance",
    "proxy-1.cluster-c9akciq32": "cluster",
    # Not a prefix: there is no identifier after it but the word itself.
    "shop.cluster": "instance",
}


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_the_name_says_what_it_stands_for(name: str, kind: str) -> None:
    host = f"{name}.us-east-1.rds.amazonaws.com"
    assert parse(host) == Endpoint(host, kind, "us-east-1")


@pytest.mark.parametrize("name", KINDS)
def test_case_and_a_trailing_dot_do_not_matter(name: str) -> None:
    host = f"{name}.us-east-1.rds.amazonaws.com"
    assert parse(f"{host}.") == parse(host.upper()) == parse(host)


def test_a_global_database_has_no_region() -> None:
    host = "shop.global-c9akciq32.global.rds.amazonaws.com"
    assert parse(host) == Endpoint(host, "global", None)


@pytest.mark.parametrize(
    "host",
    [
        "shop.global-c9akciq32.us-east-1.rds.amazonaws.com",
        "shop.c9akciq32.global.rds.amazonaws.com",
        "shop.cluster-c9akciq32.global.rds.amazonaws.com",
        "shop.global-c9akciq32.rds.global.amazonaws.com",
    ],
)
def test_global_stands_in_both_places_or_in_none(host: str) -> None:
    assert parse(host) is None
