"""What is signed for: endpoint, port and region."""

from aws_iam_async.cli.doctor.outcome import Advice

__all__ = [
    "iam_host_missing",
    "not_an_rds_name",
    "region_malformed",
    "region_missing",
    "signed_port",
    "tunnel_port",
    "wrong_region",
]


def iam_host_missing(behind: str | None) -> Advice:
    """A host that is no RDS endpoint, without ``iam_host``.

    Args:
        behind: The endpoint that the resolver says it leads to, if it says so.
    """
    if behind is None:
        return Advice(
            "iam-host-missing",
            "RDS accepts tokens for its own names only: name the endpoint that this host, address or tunnel leads to, "
            "as the RDS console shows it.",
            "--iam-host NAME.XYZ.REGION.rds.amazonaws.com",
        )
    return Advice(
        "iam-host-missing",
        "RDS accepts tokens for its own names only, and this one is an alias of its endpoint: name that, or have it "
        "looked up each time with --iam-host auto.",
        f"--iam-host {behind}",
    )


def not_an_rds_name(name: str) -> Advice:
    """An ``iam_host`` that RDS does not know."""
    return Advice(
        "not-an-rds-endpoint",
        f"{name} is not the name of an RDS endpoint, and RDS accepts tokens for its own names only. Pass the "
        "endpoint's name, as the RDS console shows it.",
        "--iam-host NAME.XYZ.REGION.rds.amazonaws.com",
    )


def region_missing() -> Advice:
    """Nothing says the region."""
    return Advice(
        "region-missing",
        "Say in which region the database is; the environment's default region is not taken, since a token for a wrong "
        "one fails without a reason.",
        "--iam-region us-east-1",
    )


def region_malformed() -> Advice:
    """The region that was given is none."""
    return Advice(
        "region-malformed",
        "Correct the region that was given, or leave it out: an endpoint's name says its own.",
        "--iam-region us-east-1",
    )


def wrong_region(signed: str, named: str) -> Advice:
    """The region that is signed for is not the endpoint's."""
    return Advice(
        "wrong-region",
        f"The token is signed for {signed}, but the endpoint is in {named}: leave iam_region out, or correct it.",
        f"--iam-region {named}",
    )


def signed_port(signed: int, dialled: int) -> Advice:
    """The endpoint itself is dialled, at another port than the token is signed for."""
    return Advice(
        "signed-port",
        f"The token is signed for port {signed}, but the endpoint itself is dialled at port {dialled}: leave "
        "iam_default_port out.",
        f"--iam-default-port {dialled}",
    )


def tunnel_port(signed: int, default: int) -> Advice:
    """The token is signed for a tunnel's port."""
    return Advice(
        "tunnel-port",
        f"The token is signed for port {signed}, because that one is dialled. If a tunnel or a forwarder listens "
        f"there, say which port the database itself has, usually {default}.",
        f"--iam-default-port {default}",
    )
