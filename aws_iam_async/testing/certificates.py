"""Certificates for RDS-like names, from an authority that exists only while the emulator runs."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from aws_iam_async.testing.faults import CertificateKind

_OTHER_HOST = "other.cluster-c9akciq32.us-east-1.rds.amazonaws.com"
_DAY = timedelta(days=1)


class Certificates:
    """An authority and what it issued for one host.

    Everything is made at once, in the constructor: making keys and reading them back takes milliseconds each, which
    the emulator's event loop must not be held up for.

    Args:
        host: The name in the server's certificate.
        ca_file: Where to write the authority's own certificate, in PEM, for clients to trust.
    """

    def __init__(self, host: str, ca_file: Path) -> None:
        authority, impostor = trustme.CA(), trustme.CA()
        authority.cert_pem.write_to_path(str(ca_file))
        now = datetime.now(UTC)
        self._contexts = {
            CertificateKind.VALID: _context(authority.issue_cert(host)),
            CertificateKind.EXPIRED: _context(
                authority.issue_cert(host, not_before=now - 2 * _DAY, not_after=now - _DAY)
            ),
            CertificateKind.NOT_YET_VALID: _context(
                authority.issue_cert(host, not_before=now + _DAY, not_after=now + 2 * _DAY)
            ),
            CertificateKind.OTHER_HOST: _context(authority.issue_cert(_OTHER_HOST)),
            CertificateKind.UNTRUSTED: _context(impostor.issue_cert(host)),
        }

    def context(self, kind: CertificateKind) -> ssl.SSLContext:
        """Return the server's TLS context that presents this kind of certificate."""
        return self._contexts[kind]


def _context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # PostgreSQL 17 and later want this name where TLS begins without an SSLRequest; others do not look at it.
    context.set_alpn_protocols(["postgresql"])
    certificate.configure_cert(context)
    return context
