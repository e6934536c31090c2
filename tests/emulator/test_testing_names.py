import pytest

from aws_iam_async import testing


def test_every_public_name_is_there() -> None:
    for name in testing.__all__:
        assert getattr(testing, name).__name__ == name


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Simulator'"):
        testing.Simulator  # noqa: B018  # type: ignore[attr-defined]  # the point of the test
