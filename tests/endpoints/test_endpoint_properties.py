"""Whatever is passed, a value or a ConfigurationError comes out."""

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aws_iam_async import ConfigurationError
from aws_iam_async.endpoints import is_ip, normalise, normalise_region, parse, parse_port, region_of_pattern

LABEL = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12)
SUFFIX = st.sampled_from(["amazonaws.com", "amazonaws.com.cn", "amazonaws.eu", "c2s.ic.gov", "evil.example"])
WORDS = [
    "cluster-",
    "cluster-ro-",
    "cluster-custom-",
    "proxy-",
    "endpoint",
    "global-",
    "global",
    "rds",
    "rds-fips",
    "?",
]
PART = st.one_of(st.sampled_from([*WORDS, "us-east-1", "%", ":", "[", "]"]), LABEL)
NEAR_ENDPOINTS = st.builds(
    lambda parts, suffix: ".".join([*parts, suffix]), st.lists(PART, min_size=1, max_size=6), SUFFIX
)
TEXT = st.one_of(st.text(max_size=300), NEAR_ENDPOINTS, st.ip_addresses().map(str))
ANYTHING = st.one_of(TEXT, st.none(), st.booleans(), st.integers(), st.floats(), st.binary(), st.lists(st.integers()))


@pytest.mark.parametrize("read", [normalise, region_of_pattern, normalise_region, parse_port])
@given(value=ANYTHING)
@example(value="\ud800")
@example(value="1" * 5000)
def test_a_value_or_a_configuration_error(read: Callable[[object], object], value: object) -> None:
    with contextlib.suppress(ConfigurationError):
        read(value)


@given(TEXT)
def test_what_was_normalised_stays_as_it_is(text: str) -> None:
    try:
        host = normalise(text)
    except ConfigurationError:
        return
    assert normalise(host) == host
    assert host.isascii()
    assert not set(host) & set(" /@?#,[]\\'\"")
    assert (":" in host) <= is_ip(host)


@given(TEXT)
def test_what_is_parsed_is_a_normal_host_of_a_known_suffix(text: str) -> None:
    endpoint = parse(text)
    if endpoint is not None:
        assert endpoint.host == normalise(text)
        assert endpoint.host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".gov", ".uk"))
        assert endpoint.region is None or endpoint.region == normalise_region(endpoint.region)
        assert (endpoint.region is None) == (endpoint.kind == "global")


@given(TEXT)
def test_no_name_outside_the_known_suffixes_is_an_endpoint(text: str) -> None:
    assert parse(f"{text}.evil.example") is None
