"""The way to the host and its port."""

import ipaddress

from aws_iam_async import endpoints
from aws_iam_async.cli.doctor.outcome import Advice

__all__ = ["name_not_found", "no_route", "port_refused", "port_silent", "resolver_silent"]


def name_not_found(host: str) -> Advice:
    """The resolver does not know a name."""
    endpoint = endpoints.parse(host)
    if endpoint is None:
        return Advice("dns", "The resolver does not know this name. Is it spelt right, and is this the right network?")
    what = "cluster" if endpoint.kind in {"cluster", "cluster-ro"} else "instance"
    return Advice(
        "dns",
        "The resolver does not know this name. Compare it with the endpoint in the RDS console: the database may have "
        "been deleted or renamed. In a VPC, DNS resolution has to be enabled.",
        f"aws rds describe-db-{what}s --db-{what}-identifier {host.partition('.')[0]}",
    )


def resolver_silent() -> Advice:
    """The resolver does not answer."""
    return Advice("dns", "The resolver does not answer: look at /etc/resolv.conf, and at the network itself.")


def port_refused(host: str, port: int | None, default: int) -> Advice:
    """Nobody listens on a port.

    Args:
        host: The host dialled.
        port: The port dialled.
        default: The driver's default port.
    """
    if is_loopback(host):
        text = f"Nothing listens on port {port} of this machine: is the tunnel, the proxy or the server running?"
    elif port == default:
        text = (
            "Nothing listens on this port: look up the endpoint's port in the RDS console, and whether it is available."
        )
    else:
        text = (
            f"Nothing listens on port {port}: is it the endpoint's port in the RDS console? The usual one is {default}."
        )
    return Advice("port-refused", text)


def port_silent(address: str) -> Advice:
    """A port from which nothing comes back."""
    where = ""
    if is_private(address):
        where = f" {address} is a private address: it can be reached within its VPC only, or through a VPN or a tunnel."
    return Advice(
        "port-timeout",
        "Nothing comes back, which is what a security group does: allow this machine's address or security group to "
        f"come in on the database's port.{where}",
    )


def no_route() -> Advice:
    """The network does not lead there."""
    return Advice("no-route", "There is no route to this address: look at the network, the VPN and the routing table.")


def is_private(address: str) -> bool:
    """Whether an address is one of a private network."""
    return ipaddress.ip_address(address).is_private


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    return host == "localhost" or (endpoints.is_ip(host) and ipaddress.ip_address(host).is_loopback)
