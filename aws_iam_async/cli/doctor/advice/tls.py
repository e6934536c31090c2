"""TLS and certificates."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from aws_iam_async import endpoints
from aws_iam_async.cli.doctor.certificate import Certificate
from aws_iam_async.cli.doctor.outcome import Advice
from aws_iam_async.cli.doctor.wire.answer import UnexpectedAnswerError

__all__ = ["expiring", "handshake_cut", "handshake_failed", "refused_certificate", "silent", "unexpected_answer"]

# RDS renews its servers' certificates by itself, long before; its authorities' are the user's to trust in time.
SOON = timedelta(days=30)

# OpenSSL's X509_V_ERR_... codes.
NOT_YET_VALID = 9
EXPIRED = 10
UNTRUSTED = {18, 19, 20, 21}
WRONG_NAME = {62, 64}
TOO_MANY_CONNECTIONS = 1040


def refused_certificate(
    code: int, *, name: str, chain: Sequence[Certificate], trusted: str | None
) -> tuple[Advice, ...]:
    """The server's certificate does not hold.

    Args:
        code: OpenSSL's reason.
        name: The name that was expected.
        chain: What the server presents, as far as that is known.
        trusted: The file of the only certificates that are trusted; ``None``: RDS's and the system's.
    """
    if code in WRONG_NAME:
        names = ", ".join(chain[0].names[:3]) if chain else "another name"
        return (
            Advice(
                "tls-name",
                f"The server proves to be {names}, not {name}. Something else was reached than what was meant, or the "
                "endpoint has another name: pass that one, as host or as iam_host.",
                # Whoever presents a certificate says what is in it: nothing but an endpoint's name is for copying.
                f"--iam-host {chain[0].names[0]}" if chain and _is_endpoint(chain[0]) else None,
            ),
        )
    if code == EXPIRED:
        return (
            Advice(
                "tls-expired",
                "A certificate has expired. Restart or rotate the server's certificate (ca-certificate-identifier in "
                "RDS); and is this machine's clock right?",
            ),
        )
    if code == NOT_YET_VALID:
        return (
            Advice("tls-not-yet-valid", "A certificate does not count yet: is this machine's clock right?", "date -u"),
        )
    if code in UNTRUSTED:
        issuer = f" It comes from {chain[-1].issuer}." if chain else ""
        if trusted is None:
            text = (
                "Nobody who is trusted has signed the server's certificate: neither Amazon's authorities for RDS nor "
                f"the system's.{issuer} If that is an authority of your own (a proxy, an emulator), trust it; if not, "
                "somebody may be listening."
            )
        else:
            text = (
                f"The authority of the server's certificate is not in {trusted}.{issuer} For RDS leave sslrootcert "
                "out: Amazon's authorities come with this package."
            )
        return (Advice("tls-authority", text, "--sslrootcert FILE" if trusted is None else None),)
    return (Advice("tls-certificate", "The server's certificate cannot be verified."),)


def _is_endpoint(certificate: Certificate) -> bool:
    return bool(certificate.names) and endpoints.parse(certificate.names[0]) is not None


def unexpected_answer(error: UnexpectedAnswerError, *, host: str, port: int | None) -> Advice:
    """The server does not agree on TLS."""
    if error.kind == "no-tls":
        return Advice(
            "no-tls",
            "The token is never sent without TLS, which every RDS endpoint has. Something that does not pass TLS "
            "through (a proxy, a pooler, another server) answers here, or a self-made server has ssl off.",
        )
    if error.kind == "other-protocol":
        speaks = "mysql://" if error.speaks == "MySQL" else "another scheme"
        return Advice("other-protocol", f"Is {host}:{port} the database? Then its DSN begins with {speaks}.")
    if error.number == TOO_MANY_CONNECTIONS:
        return too_many_connections()
    return Advice("server-refuses", "The server refuses before any login: look at what it says, and at its own log.")


def too_many_connections() -> Advice:
    """The server is full."""
    return Advice(
        "too-many-connections",
        "The server has as many connections as it allows: close idle ones, make pools smaller (max_size, maxsize), put "
        "RDS Proxy in front, or raise the limit (max_connections in the parameter group).",
    )


def silent(driver: str) -> Advice:
    """The server accepts the connection and says nothing."""
    first = "MySQL speaks first" if driver == "aiomysql" else "PostgreSQL answers the question about TLS"
    other = "postgresql://" if driver == "aiomysql" else "mysql://"
    return Advice(
        "other-protocol",
        f"{first}, and this server does not: it is another one ({other}?), a forwarder whose other end is gone, or it "
        "is overloaded.",
    )


def handshake_failed() -> Advice:
    """No agreement on TLS."""
    return Advice(
        "tls-handshake",
        "The two sides do not agree on TLS. At least TLS 1.2 is needed: a very old server, or something in between.",
    )


def handshake_cut() -> Advice:
    """The connection ends in the handshake."""
    return Advice(
        "tls-handshake",
        "Somebody ends the connection before it is protected: a firewall, a load balancer without a healthy target, or "
        "a server that is shutting down.",
    )


def expiring(chain: Sequence[Certificate], now: datetime) -> Advice | None:
    """Warn of a certificate that will expire soon; ``None`` if none will."""
    first = min(chain, key=lambda one: one.not_after)
    if first.not_after - now > SOON:
        return None
    days = (first.not_after - now).days
    return Advice("tls-expires-soon", f"The certificate of {first.subject} expires in {days} days: have it renewed.")
