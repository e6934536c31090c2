import pytest

from aws_iam_async import ConfigurationError
from aws_iam_async.endpoints import region_of_pattern


@pytest.mark.parametrize(
    ("pattern", "region"),
    [
        ("?.XYZ.us-east-2.rds.amazonaws.com", "us-east-2"),
        ("?.xyz.rds.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("shop-?.xyz.us-east-2.rds.amazonaws.com.", "us-east-2"),
        ("?.cluster-xyz.us-east-2.rds.amazonaws.com", "us-east-2"),
        ("?.databases.example", None),
        ("db-?.databases.example", None),
    ],
)
def test_the_pattern_supplies_the_region_if_it_names_one(pattern: str, region: str | None) -> None:
    assert region_of_pattern(pattern) == region


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        ("xyz.us-east-2.rds.amazonaws.com", "exactly one '?'"),
        ("?.?.us-east-2.rds.amazonaws.com", "exactly one '?'"),
        ("", "exactly one '?'"),
        ("?.proxy-xyz.us-east-2.rds.amazonaws.com", "not of a proxy"),
        ("?.endpoint.proxy-xyz.us-east-2.rds.amazonaws.com", "not of a proxy-endpoint"),
        ("?.cluster-custom-xyz.us-east-2.rds.amazonaws.com", "not of a cluster-custom"),
        ("?.CLUSTER-CUSTOM-xyz.us-east-2.rds.amazonaws.com.", "not of a cluster-custom"),
        ("?.databases .example", "' '"),
        ("?..example", "empty part"),
        ("?.bücher.example", "xn--"),
        (None, "exactly one '?'"),
    ],
)
def test_other_patterns_are_refused_with_the_reason(pattern: object, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^cluster_instance_host_pattern ") as refused:
        region_of_pattern(pattern)
    assert complaint in str(refused.value)
