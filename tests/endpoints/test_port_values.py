import pytest

from aws_iam_async import ConfigurationError
from aws_iam_async.endpoints import parse_port


@pytest.mark.parametrize(("value", "port"), [(1, 1), (65535, 65535), ("5432", 5432), ("05432", 5432), ("1", 1)])
def test_numbers_and_numeric_strings_are_ports(value: object, port: int) -> None:
    found = parse_port(value)
    assert (found, type(found)) == (port, int)


@pytest.mark.parametrize(
    "value",
    [
        0,
        -1,
        65536,
        pytest.param(10**5000, id="10**5000"),  # str() refuses to print it
        True,
        5432.0,
        None,
        b"5432",
        "",
        "0",
        "65536",
        "9" * 5000,
        " 5432",
        "5432\n",
        "+5432",
        "-5432",
        "5_432",
        "0x10",
        "5432.0",
        "٥٤٣٢",
        "postgresql",
    ],
)
def test_anything_else_is_refused_with_the_option_and_the_range(value: object) -> None:
    with pytest.raises(ConfigurationError, match=r"^iam_default_port (is out of range: it )?must be .*from 1 to 65535"):
        parse_port(value, "iam_default_port")


def test_a_password_that_a_wrong_dsn_put_there_does_not_reach_the_message() -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse_port("hunter2@db.example")
    assert "hunter2" not in str(refused.value)
