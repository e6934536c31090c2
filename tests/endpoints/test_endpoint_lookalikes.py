import pytest

from aws_iam_async.endpoints import parse


@pytest.mark.parametrize(
    "host",
    [
        "x.rds.amazonaws.com.evil.example",
        "shop.c9akciq32.us-east-1.rds.amazonaws.com.evil.example",
        "shop.c9akciq32.us-east-1.rds.amazonaws.com.cn.evil.example",
        "shop.c9akciq32.us-east-1.rds-amazonaws.com",
        "shop.c9akciq32.us-east-1.rds.amazonaws.com.",
        "shop.c9akciq32.us-east-1.xrds.amazonaws.com",
        "shop.c9akciq32.us-east-1.rds.xamazonaws.com",
        "shop.c9akciq32.us-east-1.rds.amazonaws.com.de",
        "shop.c9akciq32.us-east-1.rdsxamazonaws.com",
        "shop.c9akciq32.us-east-1.rds.amazonaws.com:5432",
        "shop.c9akciq32.us-east-1.rds.amazonaws.com/",
        "shop.c9akciq32.us-east-1.rds.amazonaws.com\n",
        " shop.c9akciq32.us-east-1.rds.amazonaws.com",
        "evil.example/shop.c9akciq32.us-east-1.rds.amazonaws.com",
        "evil.example#shop.c9akciq32.us-east-1.rds.amazonaws.com",
        "a.b.shop.c9akciq32.us-east-1.rds.amazonaws.com",
        "c9akciq32.us-east-1.rds.amazonaws.com",
        ".c9akciq32.us-east-1.rds.amazonaws.com",
        "shop..us-east-1.rds.amazonaws.com",
        "shop.c9akciq32.us-east-1.rds.us-east-1.amazonaws.com",
        "shop.c9akciq32.us-east.rds.amazonaws.com",
        "shop.c9akciq32.us-east-1a.rds.amazonaws.com",
        "shop.my-id.us-east-1.rds.amazonaws.com",
        "shop.xcluster-c9akciq32.us-east-1.rds.amazonaws.com",
        "shop.endpoint.cluster-c9akciq32.us-east-1.rds.amazonaws.com",
        "rds.us-east-1.amazonaws.com",
        "rds.amazonaws.com",
        "localhost",
        "10.0.0.1",
        "::1",
        "",
        # The Kelvin sign, which str.lower() turns into a "k", and a full-width dot.
        "shop.c9a\u212aciq32.us-east-1.rds.amazonaws.com",
        "shop.c9akciq32.us-east-1\uff0erds.amazonaws.com",
    ],
)
def test_what_merely_looks_like_an_endpoint_is_none(host: str) -> None:
    if host.endswith(".com."):
        host += "."  # one trailing dot is the root's; two are no name
    assert parse(host) is None
