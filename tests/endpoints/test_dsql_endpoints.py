"""Which hosts are endpoints of Aurora DSQL: the public one and that of PrivateLink, in every partition."""

import pytest

import aws_iam_async
from aws_iam_async import ConfigurationError
from aws_iam_async.endpoints import Endpoint, normalise, other_service, parse, signing_region

CLUSTER = "foo0bar1baz2quux3quuux4abcd"[:26]
REGIONS = {
    f"{CLUSTER}.dsql.us-east-1.on.aws": "us-east-1",
    f"{CLUSTER}.dsql.ap-northeast-3.on.aws": "ap-northeast-3",
    f"{CLUSTER}.dsql.us-gov-west-1.on.aws": "us-gov-west-1",
    f"{CLUSTER}.dsql-fnh4.us-east-1.on.aws": "us-east-1",  # the private name of a PrivateLink endpoint
    f"{CLUSTER}.dsql-gamma.eu-west-1.on.aws": "eu-west-1",
    f"{CLUSTER}.dsql-fips.ca-central-1.on.aws": "ca-central-1",
    f"{CLUSTER}.dsqlx.us-west-2.on.aws": "us-west-2",  # as AWS's connectors for Ruby, .NET and Python match it
    f"{CLUSTER}.dsql.cn-north-1.on.amazonwebservices.com.cn": "cn-north-1",
    f"{CLUSTER}.dsql.eusc-de-east-1.on.amazonwebservices.eu": "eusc-de-east-1",
    f"{CLUSTER}.dsql.us-iso-east-1.on.aws.ic.gov": "us-iso-east-1",
    f"{CLUSTER}.dsql.us-isob-east-1.on.aws.scloud": "us-isob-east-1",
    f"{CLUSTER}.dsql.us-isof-south-1.on.aws.hci.ic.gov": "us-isof-south-1",
    f"{CLUSTER}.dsql.eu-isoe-west-1.on.cloud-aws.adc-e.uk": "eu-isoe-west-1",
    "my-cluster.dsql.us-east-1.on.aws": "us-east-1",
}
NOT_DSQL = [
    "dsql.us-east-1.on.aws",
    "dsql.us-east-1.api.aws",  # the service's own API
    f"{CLUSTER}.dsql.us-east-1.on.aws.evil.example",
    f"{CLUSTER}.dsql.us-east-1.on.awsx",
    f"{CLUSTER}.dsql.us-east-1.xon.aws",
    f"{CLUSTER}.dsql.us-east-1.amazonaws.com",
    f"{CLUSTER}.xdsql.us-east-1.on.aws",
    f"{CLUSTER}.dsql.us-east.on.aws",
    f"{CLUSTER}.dsql.us-east-1a.on.aws",
    f"{CLUSTER}.dsql.on.aws",
    f"a.{CLUSTER}.dsql.us-east-1.on.aws",
    f"-{CLUSTER}.dsql.us-east-1.on.aws",
    f"{CLUSTER}.dsql.us-east-1.on.aws:5432",
    "vpce-04037adb76c111221-d849uc2p.dsql-fnh4.us-east-1.vpce.amazonaws.com",  # it names no cluster
]


@pytest.mark.parametrize(("host", "region"), REGIONS.items())
def test_an_endpoint_of_dsql_and_its_region(host: str, region: str) -> None:
    assert parse(host) == Endpoint(host, "cluster", region, service="dsql")
    assert parse(f"{host.upper()}.") == parse(host)
    assert normalise(host.upper()) == host
    assert signing_region(None, host) == region
    assert signing_region("eu-west-1", host) == "eu-west-1"
    assert other_service(host) is None


@pytest.mark.parametrize("host", NOT_DSQL)
def test_what_is_no_endpoint_of_dsql(host: str) -> None:
    assert parse(host) is None


@pytest.mark.parametrize("way", [aws_iam_async.connect, aws_iam_async.create_pool])
@pytest.mark.parametrize("given", ["host", "iam_host"])
async def test_mysql_is_refused(way: object, given: str) -> None:
    dialled = {"host": "127.0.0.1"} | {given: f"{CLUSTER}.dsql.us-east-1.on.aws"}
    with pytest.raises(ConfigurationError, match=r"Aurora DSQL.* postgresql://"):
        await way(driver="aiomysql", user="admin", **dialled)  # type: ignore[operator]  # one of two functions


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("iam_default_port", 5432),
        ("iam_default_port", "5432"),
        ("cluster_instance_host_pattern", "?.c9akciq32.us-east-1.rds.amazonaws.com"),
    ],
)
async def test_an_option_without_a_use_is_refused(driver: str, option: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=f"{option}: .*Aurora DSQL.*remove"):
        await aws_iam_async.connect(
            f"postgresql://admin@{CLUSTER}.dsql.us-east-1.on.aws/postgres",
            driver=driver,
            **{option: value},  # type: ignore[call-overload]  # of any name
        )


@pytest.mark.parametrize("host", ["vpce-0403-d849.dsql-fnh4.us-east-1.vpce.amazonaws.com", "10.0.0.7", "db.example"])
async def test_a_host_that_names_no_cluster_needs_iam_host(host: str) -> None:
    example = r"CLUSTER\.dsql-fnh4\.us-east-1\.on\.aws" if "dsql" in host else r"name\.xyz\.us-east-1\.rds"
    with pytest.raises(ConfigurationError, match=rf"pass iam_host= .*, such as {example}"):
        await aws_iam_async.connect(f"postgresql://admin@{host}/postgres")
