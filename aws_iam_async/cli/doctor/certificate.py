"""The certificates that a server presents."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

__all__ = ["Certificate", "chain", "read"]


@dataclass(frozen=True)
class Certificate:
    """What a certificate says.

    Attributes:
        subject: Whose it is, by its common name where it has one.
        issuer: Who signed it, the same way.
        names: The host names and addresses that it is for.
        not_before: From when on it counts.
        not_after: Until when it counts.
    """

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime

    def __str__(self) -> str:
        names = ", ".join(self.names) or self.subject
        return f"a certificate for {names} from {self.issuer}, {self.not_before:%Y-%m-%d} to {self.not_after:%Y-%m-%d}"


def chain(connection: ssl.SSLObject, *, verified: bool) -> tuple[Certificate, ...]:
    """Return the certificates of a connection, the server's own first.

    Args:
        connection: After its handshake.
        verified: Whether to return the chain that was verified, up to the authority, or what was presented.
    """
    # Public, and then as DER only, from CPython 3.13 on; this has been there since 3.10.
    own = connection._sslobj  # type: ignore[attr-defined]  # noqa: SLF001 - see above
    presented = own.get_verified_chain() if verified else own.get_unverified_chain()
    return tuple(read(one.get_info()) for one in presented or ())


def read(info: Mapping[str, Any]) -> Certificate:
    """Read what ``SSLSocket.getpeercert()`` returns."""
    return Certificate(
        subject=_name(info.get("subject", ())),
        issuer=_name(info.get("issuer", ())),
        names=tuple(value for _, value in info.get("subjectAltName", ())),
        not_before=_time(info["notBefore"]),
        not_after=_time(info["notAfter"]),
    )


def _name(parts: tuple[tuple[tuple[str, str], ...], ...]) -> str:
    fields = {name: value for part in parts for name, value in part}
    for name in ("commonName", "organizationalUnitName", "organizationName"):
        if name in fields:
            return fields[name]
    return "an unnamed subject"


def _time(text: str) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC)
