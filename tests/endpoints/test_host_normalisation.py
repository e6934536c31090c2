import pytest

from aws_iam_async import ConfigurationError
from aws_iam_async.endpoints import is_ip, normalise


@pytest.mark.parametrize(
    ("host", "normal"),
    [
        ("DB.Example", "db.example"),
        ("db.example.", "db.example"),
        ("localhost", "localhost"),
        ("my_database", "my_database"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("Bücher.example.", "xn--bcher-kva.example"),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ("10.0.0.1", "10.0.0.1"),
        # The number that the documentation of AWS's wrappers uses; no IP address, but no malformed name either.
        ("12.345.678.90", "12.345.678.90"),
        ("::1", "::1"),
        ("2001:DB8:0:0::0:1", "2001:db8::1"),
        ("FE80::1%Eth0", "fe80::1%Eth0"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
    ],
)
def test_a_host_has_one_form(host: str, normal: str) -> None:
    assert normalise(host) == normal
    assert normalise(normal) == normal


@pytest.mark.parametrize(
    ("host", "complaint"),
    [
        ("", "empty"),
        (".", "empty part"),
        ("a..b", "empty part"),
        (".example", "empty part"),
        ("db.example..", "empty part"),
        (" db.example", "' '"),
        ("db.example\n", r"'\n'"),
        ("db\x00.example", r"'\x00'"),
        ("db\u200b .example", "' '"),
        ("db.example:5432", "port"),
        ("[::1]", "brackets"),
        ("::1::", "brackets"),
        ("fe80::1%", "brackets"),
        ("fe80::1%a b", "brackets"),
        ("/var/run/postgresql", "Unix socket"),
        ("app@db.example", "without URL, user"),
        ("one.example,two.example", "single host"),
        ("db.example?x=1", "'?'"),
        ("*.example", "'*'"),
        ("a" * 64 + ".example", "too long"),
        (".".join(["a" * 50] * 5), "too long"),
        ("a" * 255, "too long"),
        ("ü" * 64 + ".example", "internationalised"),
        ("\ud800.example", "internationalised"),
        (None, "not NoneType"),
        (b"db.example", "not bytes"),
        (["db.example"], "not list"),
    ],
)
def test_what_is_no_host_is_refused_with_the_option_and_the_reason(host: object, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^iam_host ") as refused:
        normalise(host, "iam_host")
    assert complaint in str(refused.value)


def test_a_misplaced_dsn_does_not_reach_the_message() -> None:
    with pytest.raises(ConfigurationError) as refused:
        normalise("postgresql://app:hunter2@db.example/shop")
    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("host", ["10.0.0.1", "::1", "fe80::1%eth0", "::ffff:10.0.0.1"])
def test_ip_addresses_are_recognised(host: str) -> None:
    assert is_ip(host)


@pytest.mark.parametrize("host", ["db.example", "1.2.3", "12.345.678.90", "[::1]", "fe80::1%", "10.0.0.1.", "db1", ""])
def test_names_are_no_ip_addresses(host: str) -> None:
    assert not is_ip(host)
