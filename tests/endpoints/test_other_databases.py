"""Hosts of other AWS databases are named, because no option makes them accept a token of RDS."""

from typing import Any

import pytest

import aws_iam_async
from aws_iam_async import ConfigurationError, RdsTokenProvider
from aws_iam_async.endpoints import other_service, parse

OTHERS = {
    "w.c9akciq32xyz.us-east-1.redshift.amazonaws.com": "Redshift",
    "default.123456789012.us-east-1.redshift-serverless.amazonaws.com": "Redshift",
    "W.C9AKCIQ32XYZ.CN-NORTH-1.REDSHIFT.AMAZONAWS.COM.CN.": "Redshift",
    "docs.cluster-c9akciq32.us-east-1.docdb.amazonaws.com": "DocumentDB",
    "docs-123.us-east-1.docdb-elastic.amazonaws.com": "DocumentDB",
    "red.abc123.0001.use1.cache.amazonaws.com": "ElastiCache",
    "red-abc.serverless.use1.cache.amazonaws.com": "ElastiCache",
    "clustercfg.m.abc123.memorydb.us-east-1.amazonaws.com": "MemoryDB",
    "graph.cluster-c9akciq32.us-east-1.neptune.amazonaws.com": "Neptune",
}
NOT_OTHERS = [
    "redshift.c9akciq32.us-east-1.rds.amazonaws.com",
    "cache.cluster-c9akciq32.us-east-1.rds.amazonaws.com",
    "docdb.example.com",
    "redshift.amazonaws.com.evil.example",
    "cache-1a2b3c.elb.us-east-1.amazonaws.com",
    "127.0.0.1",
]


@pytest.mark.parametrize("host", OTHERS)
@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
async def test_another_database_is_named(scheme: str, host: str) -> None:
    found: list[dict[str, Any]] = [
        {"dsn": f"{scheme}://app@{host}/shop"},
        {"dsn": f"{scheme}://app@{host}/shop?iam_region=us-east-1"},
        {"dsn": f"{scheme}://app@127.0.0.1/shop?iam_host={host}&iam_region=us-east-1"},
        {"dsn": f"{scheme}://app@{host}/shop?iam_host=auto"},
    ]
    for options in found:
        for way in (aws_iam_async.connect, aws_iam_async.create_pool):
            with pytest.raises(ConfigurationError, match=f"is a host of .*{OTHERS[host]}") as refused:
                await way(**options)
            assert "pass iam_host" not in str(refused.value)
    with pytest.raises(ConfigurationError, match=f"is a host of .*{OTHERS[host]}"):
        await RdsTokenProvider().get_token(host=host, port=5432, user="app")


@pytest.mark.parametrize("host", NOT_OTHERS)
def test_what_only_resembles_another_database(host: str) -> None:
    assert other_service(host) is None


@pytest.mark.parametrize("host", OTHERS)
def test_another_database_is_no_endpoint(host: str) -> None:
    assert parse(host) is None
