"""Advice on the way to the server: name resolution, port and TLS."""

import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta

from aws_iam_async import endpoints
from aws_iam_async.cli.doctor.findings import Advice, Certificate
from aws_iam_async.tls.contexts import NAME_MISMATCH

# RDS renews its servers' certificates long before their end. Trusting new authorities in time is up to the user.
EXPIRY_WARNING = timedelta(days=30)

# OpenSSL's X509_V_ERR_... codes.
NOT_YET_VALID = 9
EXPIRED = 10
UNTRUSTED = {18, 19, 20, 21}

RESOLVER_SILENT = Advice("dns", "The resolver does not answer. Check /etc/resolv.conf and the network.")
NO_ROUTE = Advice("no-route", "There is no route to this address. Check the network, the VPN and the routing table.")
NO_TLS = Advice(
    "no-tls",
    "The token is never sent without TLS, which every endpoint offers. Look for a proxy, a pooler or another "
    "server that answers here and does not pass TLS through. On a server of your own, turn ssl on.",
)
HANDSHAKE_FAILED = Advice(
    "tls-handshake",
    "The client and the server do not agree on TLS. At least TLS 1.2 is needed. Look for a very old server, or for a "
    "device in between.",
)
HANDSHAKE_CUT = Advice(
    "tls-handshake",
    "The connection was closed before it was encrypted. Look for a firewall, a load balancer without a healthy target, "
    "or a server that is shutting down.",
)


def name_not_found(host: str) -> Advice:
    endpoint = endpoints.parse(host)
    if endpoint is None:
        return Advice("dns", "The resolver does not know this name. Check its spelling, and that the network is right.")
    name = endpoint.host.partition(".")[0]
    kind = "cluster" if endpoint.kind in {"cluster", "cluster-ro"} else "instance"
    return Advice(
        "dns",
        "The resolver does not know this name. Compare it with the endpoint in the AWS console, since the database may "
        "have been deleted or renamed. In a VPC, enable DNS resolution.",
        f"aws dsql get-cluster --identifier {name} --region {endpoint.region}"
        if endpoint.service == "dsql"
        else f"aws rds describe-db-{kind}s --db-{kind}-identifier {name}",
    )


def port_refused(host: str, port: int | None, default: int) -> Advice:
    if host == "localhost" or (endpoints.is_ip(host) and ipaddress.ip_address(host).is_loopback):
        text = f"Nothing listens on port {port} of this machine. Check that the tunnel, proxy or server is running."
    elif port == default:
        text = "Nothing listens on this port. In the AWS console, check the endpoint's port and that it is available."
    else:
        text = (
            f"Nothing listens on port {port}. Compare it with the endpoint's port in the AWS console. The usual port "
            f"is {default}."
        )
    return Advice("port-refused", text)


def port_silent(address: str) -> Advice:
    text = (
        "There is no answer, as if a security group dropped the packets. Allow inbound traffic on the database's port "
        "from this machine's address or security group."
    )
    if ipaddress.ip_address(address).is_private:
        text += f" {address} is a private address. Connect from within its VPC, or through a VPN or a tunnel."
    return Advice("port-timeout", text)


def other_protocol(scheme: str = "another scheme") -> Advice:
    return Advice("other-protocol", f"If this server is the database, use a DSN that begins with {scheme}.")


def server_silent(system: str) -> Advice:
    if system == "mysql":
        expected, scheme = "A MySQL server speaks first", "postgresql://"
    else:
        expected, scheme = "A PostgreSQL server answers the request for TLS", "mysql://"
    return Advice(
        "other-protocol",
        f"{expected}, but this server is silent. It is another server ({scheme}?), a forwarder without its other end, "
        "or an overloaded server.",
    )


def refused_certificate(
    code: int, *, name: str, chain: Sequence[Certificate], trusted: str | None, trust: str
) -> Advice:
    """The server's certificate cannot be verified.

    Args:
        code: OpenSSL's reason.
        name: The expected name.
        chain: The presented certificates; may be empty.
        trusted: The file of ``sslrootcert``.
        trust: Which authorities are trusted, and whether they cover the endpoint's region.
    """
    if code in NAME_MISMATCH:
        return _wrong_name(name, chain)
    if code == EXPIRED:
        return Advice(
            "tls-expired",
            "A certificate has expired. Restart the server or rotate its certificate (ca-certificate-identifier in "
            "RDS). Check this machine's clock, too.",
        )
    if code == NOT_YET_VALID:
        return Advice("tls-not-yet-valid", "A certificate is not valid yet. Check this machine's clock.", "date -u")
    if code not in UNTRUSTED:
        return Advice("tls-certificate", "The server's certificate cannot be verified.")
    issuer = f" Its issuer is {chain[-1].issuer}." if chain else ""
    if trusted is not None:
        return Advice(
            "tls-authority",
            f"The certificate authority behind the server's certificate is not in {trusted}.{issuer} {trust}",
        )
    return Advice(
        "tls-authority",
        f"The server's certificate is not signed by a trusted authority.{issuer} {trust} If that is an authority of "
        "your own (a proxy, an emulator), trust it. If not, an attacker may be listening.",
        "--sslrootcert FILE",
    )


def _wrong_name(name: str, chain: Sequence[Certificate]) -> Advice:
    names = chain[0].names if chain else ()
    # An attacker chooses the contents of a certificate, so only the name of an endpoint is offered for copying.
    is_endpoint = bool(names) and endpoints.parse(names[0]) is not None
    return Advice(
        "tls-name",
        f"The server's certificate is for {', '.join(names[:3]) or 'another name'}, not {name}. If that is the "
        "endpoint's other name, pass it as host or iam_host. If not, the connection reached a different server.",
        f"--iam-host {names[0]}" if is_endpoint else None,
    )


def expires_soon(chain: Sequence[Certificate], now: datetime) -> Advice | None:
    """A certificate expires soon; ``None`` if none does."""
    first = min(chain, key=lambda certificate: certificate.not_after)
    if first.not_after - now > EXPIRY_WARNING:
        return None
    days = (first.not_after - now).days
    return Advice("tls-expires-soon", f"The certificate of {first.subject} expires in {days} days. Renew it.")
