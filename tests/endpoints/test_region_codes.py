import pytest

from aws_iam_async import RegionError
from aws_iam_async.endpoints import normalise_region


def test_case_does_not_matter() -> None:
    assert normalise_region("US-Gov-West-1") == "us-gov-west-1"


@pytest.mark.parametrize(
    "region",
    [
        "",
        "us-east",
        "useast1",
        "us_east_1",
        "us-east-1 ",
        "us-east-1\n",
        "global",
        "us-east-\u0661",
        None,
        1,
        b"us-east-1",
    ],
)
def test_what_has_not_the_shape_of_a_region_is_refused(region: object) -> None:
    with pytest.raises(RegionError, match=r"^iam_region .*'us-east-1'"):
        normalise_region(region)


def test_an_availability_zone_is_answered_with_its_region() -> None:
    with pytest.raises(RegionError, match="its region is 'us-east-1'"):
        normalise_region("us-east-1a")
