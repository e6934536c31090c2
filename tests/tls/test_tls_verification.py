"""What each of libpq's words accepts, against real servers."""

import datetime as dt
import ssl
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from aws_iam_async import tls
from aws_iam_async.tls import Tls, contexts

NAME = "dialled.example"
NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)
RDS_CA_BUNDLE_SIZE = Path(tls.RDS_CA_BUNDLE).read_text("ascii").count("BEGIN CERTIFICATE")


def _dial(run: Callable[..., Any], hello: Any, server: Any, wanted: tls.Tls) -> str:
    async def main() -> str:
        return str(await hello(server, await contexts.context(wanted)))

    return str(run(main()))


@pytest.mark.parametrize("word", ["verify-full", "verify-ca"])
def test_a_trusted_certificate_for_the_name_is_accepted(
    serve: Any, hello: Any, run: Callable[..., Any], root_cert: Path, word: str
) -> None:
    with serve(NAME) as server:
        assert _dial(run, hello, server, tls.parse(word, sslrootcert=root_cert)) == "hello"


def test_only_verify_full_looks_at_the_name(serve: Any, hello: Any, run: Callable[..., Any], root_cert: Path) -> None:
    with serve("other.example") as server:
        assert _dial(run, hello, server, tls.parse("verify-ca", sslrootcert=root_cert)) == "hello"
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            _dial(run, hello, server, tls.parse("verify-full", sslrootcert=root_cert))


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "of another authority": ({"issuer": trustme.CA()}, "unable to get local issuer|self.signed"),
    "expired": ({"not_before": NOW - 9 * DAY, "not_after": NOW - DAY}, "expired"),
    "not yet valid": ({"not_before": NOW + DAY, "not_after": NOW + 9 * DAY}, "not yet valid"),
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("word", ["verify-full", "verify-ca"])
def test_a_bad_certificate_is_refused(
    serve: Any, hello: Any, run: Callable[..., Any], root_cert: Path, word: str, bad: str
) -> None:
    options, complaint = BAD[bad]
    with serve(NAME, **options) as server, pytest.raises(ssl.SSLCertVerificationError, match=complaint):
        _dial(run, hello, server, tls.parse(word, sslrootcert=root_cert))


@pytest.mark.parametrize("bad", BAD)
def test_require_encrypts_and_verifies_nothing(serve: Any, hello: Any, run: Callable[..., Any], bad: str) -> None:
    with serve("other.example", **BAD[bad][0]) as server:
        assert _dial(run, hello, server, tls.parse("require").secured()) == "hello"


def test_an_unknown_authority_is_refused_by_default(serve: Any, hello: Any, run: Callable[..., Any]) -> None:
    with serve(NAME) as server, pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
        _dial(run, hello, server, tls.parse().secured())


def test_a_self_signed_certificate_is_refused(
    serve: Any, hello: Any, run: Callable[..., Any], root_cert: Path, tmp_path: Path
) -> None:
    with (
        serve(chain=_self_signed(tmp_path)) as server,
        pytest.raises(ssl.SSLCertVerificationError, match=r"self.signed"),
    ):
        _dial(run, hello, server, tls.parse(sslrootcert=root_cert))


def _self_signed(directory: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), NOW - DAY, NOW + DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = directory / "self-signed.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


def test_the_systems_roots_are_trusted_beside_those_of_rds(
    serve: Any, hello: Any, run: Callable[..., Any], root_cert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(root_cert))  # OpenSSL's own way to name the system's roots

    async def main() -> str:
        context = contexts.build(Tls("verify-full"))
        assert len(context.get_ca_certs()) == RDS_CA_BUNDLE_SIZE + 1
        return str(await hello(server, context))

    with serve(NAME) as server:
        assert run(main()) == "hello"


def test_sslrootcert_is_all_that_is_trusted(run: Callable[..., Any], root_cert: Path, authority: trustme.CA) -> None:
    context = run(contexts.context(tls.parse(sslrootcert=root_cert)))
    trusted = [ssl.DER_cert_to_PEM_cert(der) for der in context.get_ca_certs(binary_form=True)]
    assert trusted == [authority.cert_pem.bytes().decode()]


@pytest.mark.parametrize("word", ["require", "verify-full"])
def test_tls_1_1_is_refused(serve: Any, hello: Any, run: Callable[..., Any], root_cert: Path, word: str) -> None:
    def lower(context: ssl.SSLContext) -> ssl.SSLContext:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the old version is what is tested
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("DEFAULT@SECLEVEL=0")  # OpenSSL 3 disables it otherwise
        return context

    with serve(NAME) as server:
        lower(server.context)
        lenient = lower(ssl.create_default_context(cafile=root_cert))
        assert run(hello(server, lenient)) == "hello"
        root = None if word == "require" else root_cert
        with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version|unsupported.protocol"):
            _dial(run, hello, server, tls.parse(word, sslrootcert=root))


@pytest.mark.parametrize("alpn", [None, "postgresql"])
def test_alpn_is_offered_if_asked_for(
    serve: Any, hello: Any, run: Callable[..., Any], root_cert: Path, alpn: str | None
) -> None:
    async def main() -> ssl.SSLContext:
        context = await contexts.context(tls.Tls("verify-full", root_cert=str(root_cert), alpn=alpn))
        assert context is not None
        await hello(server, context)
        return context

    with serve(NAME) as server:
        server.context.set_alpn_protocols(["postgresql"])
        context = run(main())
        server.stop()
        assert server.protocols == [alpn]
    assert context is not run(contexts.context(tls.Tls("verify-full", root_cert=str(root_cert), alpn="other")))


def test_environment_variables_of_the_drivers_weaken_nothing(
    serve: Any, hello: Any, run: Callable[..., Any], root_cert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSSLMODE", "disable")
    monkeypatch.setenv("PGSSLROOTCERT", str(root_cert))
    monkeypatch.setenv("PGSSLMINPROTOCOLVERSION", "TLSv1")
    with serve(NAME) as server, pytest.raises(ssl.SSLCertVerificationError):
        _dial(run, hello, server, tls.parse().secured())
