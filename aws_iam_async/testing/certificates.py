"""Server certificates for RDS host names, issued by a certificate authority that the emulator creates at start."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from aws_iam_async.testing.faults import CertificateKind

_OTHER_HOST = "other.cluster-c9akciq32.us-east-1.rds.amazonaws.com"
_DAY = timedelta(days=1)


class Certificates:
    """A certificate authority and one TLS context per `CertificateKind` for one host.

    The constructor creates all of them. Creating and loading a key takes milliseconds, for which the emulator's event
    loop must not block.

    Args:
        host: The host name in the server's certificate.
        ca_file: The file to which the authority's certificate is written in PEM format, for clients to trust.
    """

    def __init__(self, host: str, ca_file: Path) -> None:
        authority, untrusted_authority = trustme.CA(), trustme.CA()
        authority.cert_pem.write_to_path(str(ca_file))
        now = datetime.now(UTC)
        self._contexts = {
            CertificateKind.VALID: _server_context(authority.issue_cert(host)),
            CertificateKind.EXPIRED: _server_context(
                authority.issue_cert(host, not_before=now - 2 * _DAY, not_after=now - _DAY)
            ),
            CertificateKind.NOT_YET_VALID: _server_context(
                authority.issue_cert(host, not_before=now + _DAY, not_after=now + 2 * _DAY)
            ),
            CertificateKind.OTHER_HOST: _server_context(authority.issue_cert(_OTHER_HOST)),
            CertificateKind.UNTRUSTED: _server_context(untrusted_authority.issue_cert(host)),
        }

    def context(self, kind: CertificateKind) -> ssl.SSLContext:
        """Return the server's TLS context with this kind of certificate."""
        return self._contexts[kind]


def _server_context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Clients of PostgreSQL 17 and later require this protocol if TLS begins without an SSLRequest. Others ignore it.
    context.set_alpn_protocols(["postgresql"])
    certificate.configure_cert(context)
    return context
