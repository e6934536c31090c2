"""Certificates of every kind that a client must not fall for, and one authority that it trusts."""

import datetime as dt
import ipaddress
import ssl
import warnings
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = dt.timedelta(days=1)


class Identity(NamedTuple):
    """A certificate, its key, and the certificates between it and its root."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    chain: tuple[x509.Certificate, ...] = ()


def issue(
    *names: str,
    issuer: Identity | None = None,
    authority: bool = False,
    usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
) -> Identity:
    """Issue a certificate.

    Args:
        *names: What it is for.
        issuer: The issuer that signs it. By default, it is self-signed.
        authority: Whether it may sign others.
        usage: What it may be used for.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, f"{names[0]} {id(key):x}")])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
    )
    if not authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    certificate = builder.sign(issuer.key if issuer else key, hashes.SHA256())
    return Identity(certificate, key, (issuer.certificate, *issuer.chain) if issuer else ())


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Forgery:
    """Server contexts that present certificates to order, made by an authority that the client trusts, or another.

    Args:
        folder: Where to write keys and certificates.
        host: The name that the client verifies.
    """

    def __init__(self, folder: Path, host: str) -> None:
        self.folder = folder
        self.host = host
        self.trusted = issue("trusted authority", authority=True)
        self._contexts: dict[str, ssl.SSLContext] = {}

    @cached_property
    def root(self) -> bytes:
        """The trusted authority's certificate, in PEM."""
        return self.trusted.certificate.public_bytes(serialization.Encoding.PEM)

    def valid(self) -> ssl.SSLContext:
        return self._context("valid", lambda: issue(self.host, issuer=self.trusted))

    def for_names(self, *names: str) -> ssl.SSLContext:
        return self._context(names[0], lambda: issue(*names, issuer=self.trusted))

    def self_signed(self) -> ssl.SSLContext:
        return self._context("self-signed", lambda: issue(self.host))

    def signed_by_a_server(self) -> ssl.SSLContext:
        """Signed with a valid certificate that is not one of a certificate authority."""
        return self._context(
            "no authority", lambda: issue(self.host, issuer=issue("shop.example", issuer=self.trusted))
        )

    def for_clients(self) -> ssl.SSLContext:
        return self._context(
            "client", lambda: issue(self.host, issuer=self.trusted, usage=ExtendedKeyUsageOID.CLIENT_AUTH)
        )

    def of_version(self, version: ssl.TLSVersion) -> ssl.SSLContext:
        """Valid, and speaking this version of TLS only."""
        context = self._new(issue(self.host, issuer=self.trusted))
        context.set_ciphers("ALL:@SECLEVEL=0")  # OpenSSL 3 has no signatures for TLS 1.1 and before above level 0
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            context.minimum_version = context.maximum_version = version
        return context

    def without_certificate(self) -> ssl.SSLContext:
        """One that offers encryption without any authentication: "anonymous" ciphers, which TLS 1.2 still has."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("aNULL:@SECLEVEL=0")
        return context

    def _context(self, key: str, make: Callable[[], Identity]) -> ssl.SSLContext:
        if key not in self._contexts:
            self._contexts[key] = self._new(make())
        return self._contexts[key]

    def _new(self, identity: Identity) -> ssl.SSLContext:
        path = self.folder / "identity.pem"
        pem = serialization.Encoding.PEM
        path.write_bytes(
            identity.key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            + b"".join(certificate.public_bytes(pem) for certificate in (identity.certificate, *identity.chain))
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context
