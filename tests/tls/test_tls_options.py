import ssl
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_iam_async import ConfigurationError
from aws_iam_async.tls import Tls, TlsMode, parse
from aws_iam_async.tls.contexts import context

OWN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
WORDS: list[TlsMode] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]


@pytest.mark.parametrize("word", WORDS)
def test_libpqs_words_mean_the_same_as_ssl_and_as_sslmode(word: TlsMode) -> None:
    assert parse(ssl=word) == parse(sslmode=word) == parse(ssl=word, sslmode=word) == Tls(word)


def test_true_is_verify_full_and_false_is_disable() -> None:
    assert parse(ssl=True) == parse(ssl="true") == parse(ssl="True") == Tls("verify-full")
    assert parse(ssl=False) == parse(ssl="false") == Tls("disable")


@pytest.mark.parametrize("mode", [None, True, "true", "verify-full"])
async def test_the_systems_authorities_alone(mode: object) -> None:
    tls = parse(ssl=mode, sslrootcert="system")
    assert tls == Tls("verify-full", root_cert="system")
    trusted = {certificate["serialNumber"] for certificate in (await context(tls)).get_ca_certs()}  # type: ignore[union-attr]
    default = {certificate["serialNumber"] for certificate in ssl.create_default_context().get_ca_certs()}
    assert trusted == default


def test_nothing_said_leaves_the_driver_its_default() -> None:
    assert parse() == Tls()


def test_a_context_is_taken_as_it_is() -> None:
    assert parse(ssl=OWN) == Tls(context=OWN)


@pytest.mark.parametrize(
    ("mode", "meant"),
    [(None, "verify-full"), ("require", "verify-ca"), ("verify-ca", "verify-ca"), (True, "verify-full")],
)
@pytest.mark.parametrize("path", ["ca.pem", b"ca.pem", Path("ca.pem")])
def test_a_root_certificate_means_verification(mode: object, meant: TlsMode, path: object) -> None:
    assert parse(ssl=mode, sslrootcert=path) == Tls(meant, root_cert="ca.pem")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"ssl": "verify_full"}, r"ssl: 'verify_full' is unknown; did you mean 'verify-full'\?"),
        ({"ssl": "VERIFY_IDENTITY"}, r"ssl: 'VERIFY_IDENTITY' is unknown; did you mean 'verify-full'\?"),
        ({"sslmode": "VERIFY_CA"}, r"sslmode: 'VERIFY_CA' is unknown; did you mean 'verify-ca'\?"),
        ({"sslmode": "REQUIRED"}, r"sslmode: 'REQUIRED' is unknown; did you mean 'require'\?"),
        ({"sslmode": "PREFERRED"}, r"sslmode: 'PREFERRED' is unknown; did you mean 'prefer'\?"),
        ({"sslmode": "DISABLED"}, r"sslmode: 'DISABLED' is unknown; did you mean 'disable'\?"),
        ({"sslmode": "true"}, r"sslmode: 'true' is unknown; did you mean 'verify-full'\?"),
        ({"sslmode": "postgresql://app:x@db"}, "sslmode: this value is unknown; it must be one of"),
        ({"sslmode": "require", "sslrootcert": "system"}, "sslrootcert='system' needs sslmode 'verify-full', not 'req"),
        ({"sslmode": "verify-ca", "sslrootcert": "system"}, "sslrootcert='system' needs sslmode 'verify-full'"),
        ({"sslrootcert": "https://x/ca.pem"}, "sslrootcert must be the non-empty path of a local PEM file"),
        ({"ssl": "full"}, r"ssl: 'full' is unknown; it must be one of .*'verify-full'"),
        ({"ssl": "VERIFY-FULL"}, "ssl: 'VERIFY-FULL' is unknown"),
        ({"sslmode": ""}, "sslmode: '' is unknown; it must be one of 'disable', 'allow'"),
        ({"sslmode": True}, "sslmode: 'bool' is unknown; it must be one of"),
        (
            {"ssl": {"ca": "x"}},
            "ssl: 'dict' is unknown; it must be one of .* True, False, or an SSLContext if the driver takes one",
        ),
        ({"ssl": 1}, "ssl: 'int' is unknown; it must be"),
        ({"ssl": "require", "sslmode": "verify-full"}, "ssl is 'require' and sslmode is 'verify-full'"),
        ({"ssl": False, "sslmode": "verify-full"}, "ssl is 'disable' and sslmode is 'verify-full'"),
        ({"ssl": ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)}, "ssl: this SSLContext is for servers"),
        ({"ssl": ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)}, "ssl: this SSLContext is for servers"),
        (
            {"ssl": OWN, "sslmode": "verify-full"},
            "ssl=SSLContext decides on trust and verification; omit it, or omit sslmode",
        ),
        ({"ssl": OWN, "sslrootcert": "ca.pem"}, "ssl=SSLContext decides on trust and verification; .* sslrootcert"),
        ({"ssl": False, "sslrootcert": "ca.pem"}, "sslrootcert verifies nothing with sslmode 'disable'"),
        ({"sslmode": "prefer", "sslrootcert": "ca.pem"}, "sslrootcert verifies nothing with sslmode 'prefer'"),
        ({"sslrootcert": ""}, "sslrootcert .* non-empty"),
        ({"sslrootcert": "a\0b"}, "sslrootcert must be the non-empty path"),
        ({"sslrootcert": 1}, "sslrootcert must be the non-empty path"),
    ],
)
def test_a_wrong_or_contradictory_value_is_refused_naming_the_option(
    options: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"^{complaint}"):
        parse(**options)


VALUES = st.one_of(
    st.none(), st.sampled_from([*WORDS, True, False, OWN]), st.text(max_size=8), st.integers(), st.binary(max_size=8)
)


@given(VALUES, VALUES, VALUES)
def test_a_value_or_a_configuration_error(ssl_option: object, sslmode: object, sslrootcert: object) -> None:
    try:
        tls = parse(ssl_option, sslmode, sslrootcert)
    except ConfigurationError:
        return
    assert tls == parse(ssl_option, sslmode, sslrootcert)
    assert (tls.root_cert is None) or tls.mode in {"verify-ca", "verify-full"}
    assert (tls.context is None) or (tls.mode, tls.root_cert) == (None, None)
    hash(tls)
