"""Server certificates for endpoints, issued by a certificate authority that the emulator creates at start."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from weakref import WeakKeyDictionary

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
        self._server_names: WeakKeyDictionary[object, str | None] = WeakKeyDictionary()
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
        for context in self._contexts.values():
            context.sni_callback = self._note_server_name

    def context(self, kind: CertificateKind) -> ssl.SSLContext:
        """Return the server's TLS context with this kind of certificate."""
        return self._contexts[kind]

    def server_name(self, connection: object) -> str | None:
        """Return the server's name that a client sent in the TLS handshake (SNI), or None.

        Args:
            connection: The ``ssl_object`` of the transport.
        """
        return self._server_names.get(connection)

    def _note_server_name(self, connection: object, name: str | None, _context: ssl.SSLContext) -> None:
        self._server_names[connection] = name


def _server_context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Clients of PostgreSQL 17 and later require this protocol if TLS begins without an SSLRequest. Others ignore it.
    context.set_alpn_protocols(["postgresql"])
    certificate.configure_cert(context)
    return context
