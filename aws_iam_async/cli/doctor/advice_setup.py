"""Advice on what precedes the network: driver, options, endpoint, region, credentials and clock."""

from dataclasses import replace

from aws_iam_async import endpoints
from aws_iam_async.cli.connection import keywords_as_flags
from aws_iam_async.cli.doctor.findings import Advice
from aws_iam_async.cli.doctor.sts import Identity
from aws_iam_async.credentials.failures import (
    NO_CREDENTIALS,
    REFUSED_KEYS,
    SOURCE_FAILED,
    Remedy,
    profile_flag,
    session_token_remedy,
)
from aws_iam_async.errors import CredentialsError
from aws_iam_async.tokens.token import RDS

# Seconds. A synchronised clock is never a minute off. Signature Version 4 allows 5 minutes.
TOLERATED_SKEW = 60.0
LARGEST_SKEW = 300.0

SEVERAL_HOSTS = Advice("several-hosts", "Check the hosts one at a time. --host and --port select one.")
USER_MISSING = Advice("configuration", "Pass the database user that is set up for IAM.", "--user NAME")
PASSWORD_IGNORED = Advice(
    "password-ignored", "Leave the password out. It is ignored, because the IAM token takes its place."
)
REGION_MISSING = Advice(
    "region-missing",
    "Pass the database's region. The environment's default region is not used, because a token for a wrong region is "
    "refused without a reason.",
    "--iam-region us-east-1",
)
REGION_MALFORMED = Advice(
    "region-malformed",
    "Correct the region, or leave it out if the endpoint's name contains it.",
    "--iam-region us-east-1",
)
PROFILE_NOT_FOUND = Advice("profile-not-found", "Pass the name of an existing profile.", "aws configure list-profiles")
FILE_SILENT = Advice("configuration", "Check the file of sslrootcert, and the disk or mount that it is on.")
SECRET_SILENT = Advice(
    "secret-not-readable", "Secrets Manager does not answer. Check the network, or the VPC endpoint of secret_endpoint."
)
CREDENTIALS_UNKNOWN = Advice(
    "credentials-unknown",
    "STS has not checked these credentials. Deactivated or expired credentials and wrong secret keys make tokens that "
    "look valid.",
    "aws sts get-caller-identity",
)
STS_UNREACHABLE = Advice(
    "sts-unreachable",
    "The login does not need STS. To check the credentials and the clock, allow HTTPS to STS (in a VPC, through an "
    "interface endpoint for sts). To skip STS, pass --no-sts.",
)
REFUSED_BY_STS = Advice("credentials-invalid", "STS refuses these credentials. The identity step shows its reason.")
CLOCK_UNKNOWN = Advice(
    "clock-unknown",
    "This machine's clock could not be compared with AWS's. A clock that is more than 5 minutes off makes every token "
    "invalid.",
    "date -u",
)
SET_CLOCK = "Set the clock, and keep it synchronised with NTP (Amazon's server is 169.254.169.123)."
CLOCK_BEHIND = Advice(
    "clock-skew",
    f"The server takes the new token for an expired one, so this machine's clock is behind. {SET_CLOCK}",
    "timedatectl set-ntp true",
    certain=True,
)


def driver_not_installed(driver: str) -> Advice:
    return Advice("driver-not-installed", "Install the driver.", f"pip install 'aws-iam-async[{driver}]'")


def not_verified(sslmode: str) -> Advice:
    unverified = "the host name is not" if sslmode == "verify-ca" else "nothing is"
    return Advice(
        "not-verified",
        f"Leave sslmode out. With sslmode={sslmode} {unverified} verified, so an attacker between this machine and the "
        "database can take the token.",
    )


def iam_host_missing(host: str, endpoint_name: str | None) -> Advice:
    """The host is no endpoint, perhaps an alias of one, and there is no ``iam_host``."""
    if endpoint_name is None:
        return Advice(
            "iam-host-missing",
            "Databases accept tokens only for their own endpoint names. Pass the endpoint that this host, address or "
            "tunnel leads to, as the AWS console shows it.",
            f"--iam-host {endpoints.privatelink_cluster(host.lower()) or 'NAME.XYZ.REGION.rds.amazonaws.com'}",
        )
    return Advice(
        "iam-host-missing",
        "Databases accept tokens only for their own endpoint names, and this host is an alias of an endpoint. Pass "
        "that endpoint, or --iam-host auto to look it up for each connection.",
        f"--iam-host {endpoint_name}",
    )


def not_an_endpoint(name: str) -> Advice:
    return Advice(
        "not-an-rds-endpoint",
        f"{name} is not the name of an endpoint of RDS or Aurora DSQL, and databases accept tokens only for their own "
        "endpoint names. Pass the endpoint's name, as the AWS console shows it.",
        "--iam-host NAME.XYZ.REGION.rds.amazonaws.com",
    )


def wrong_region(signed: str, named: str) -> Advice:
    return Advice(
        "wrong-region",
        f"The token is signed for {signed}, but the endpoint is in {named}. Leave iam_region out, or correct it.",
        f"--iam-region {named}",
        certain=True,
    )


def signed_port(signed: int, dialled: int) -> Advice:
    """The endpoint itself is dialled, at another port than the signed one."""
    return Advice(
        "signed-port",
        f"The token is signed for port {signed}, but the endpoint itself is dialled at port {dialled}. Leave "
        "iam_default_port out.",
        f"--iam-default-port {dialled}",
        certain=True,
    )


def tunnel_port(signed: int, dialled: int | None, default: int) -> Advice:
    """Another host is dialled, and the signed port may be the tunnel's instead of the database's."""
    if signed == dialled:
        problem = "because that port is dialled. If a tunnel or a forwarder listens there, pass"
    else:
        problem = f"and port {dialled} is dialled. Pass"
    return Advice(
        "tunnel-port",
        f"The token is signed for port {signed}, {problem} the port at which the database itself listens, usually "
        f"{default}.",
        f"--iam-default-port {default if signed != default else 'PORT'}",
    )


def session_token_mismatch(access_key: str, session_token: str | None) -> Advice | None:
    """The session token is missing or belongs to another key; ``None`` if neither is the case."""
    remedy = session_token_remedy(access_key, has_session_token=bool(session_token))
    return None if remedy is None else _advice(remedy)


def source_failed(error: CredentialsError, profile: str | None) -> Advice:
    """There are no working credentials, or the secret cannot be used."""
    flag = profile_flag(profile)
    if error.cause == NO_CREDENTIALS.cause:
        return Advice(
            "no-credentials",
            "There are no AWS credentials on this machine. On a laptop, sign in and pass the profile with --profile, "
            "or store an access key. In a container (ECS, EKS) or on an instance (EC2), give the task, the pod or the "
            "instance a role, and set nothing.",
            f"aws sso login{flag or ' --profile NAME'}\naws configure{flag}  # for an access key",
        )
    if error.cause is not None and error.remedy is not None:
        return _advice(Remedy(error.cause, error.remedy, error.command))
    return _advice(SOURCE_FAILED)


def _advice(remedy: Remedy) -> Advice:
    return Advice(remedy.cause, f"{keywords_as_flags(remedy.text)}{':' if remedy.command else '.'}", remedy.command)


def identity_problems(identity: Identity) -> tuple[Advice, ...]:
    """STS refuses the credentials, or this machine's clock is wrong; empty if neither is the case.

    STS also refuses signatures made with a wrong clock, so a wrong clock is then the only advice.
    """
    if (clock := wrong_clock(identity.skew)) is not None:
        return (clock,)
    if identity.refusal is None:
        return ()
    remedy = REFUSED_KEYS.get(identity.refusal)
    return (REFUSED_BY_STS if remedy is None else replace(_advice(remedy), certain=True),)


def wrong_clock(skew: float | None) -> Advice | None:
    """This machine's clock is this many seconds ahead; ``None`` if it is right or unknown."""
    if skew is None or abs(skew) <= TOLERATED_SKEW:
        return None
    if skew > 0:
        effect = "so tokens are signed in the server's future, and refused if the difference is more than 5 minutes"
    else:
        effect = "so the server takes tokens for older than they are, and refuses them too early"
    return Advice(
        "clock-skew",
        f"This machine's clock is {abs(skew) / 60:.0f} min {'ahead' if skew > 0 else 'behind'}, {effect}. {SET_CLOCK}",
        "timedatectl set-ntp true",
        certain=skew > LARGEST_SKEW or -skew > RDS.longest_life,
    )


def source_silent(profile: str | None) -> Advice:
    return Advice(
        "credentials-source-failed",
        "The credentials source did not answer in time. Check the program, file or network behind it, or raise "
        "--timeout if it is only slow.",
        f"aws sts get-caller-identity{profile_flag(profile)}",
    )


def wrong_server(role: str, wanted: str) -> Advice:
    return Advice(
        "wrong-server",
        f"The host leads to a {role}, so every connection with role={wanted} waits for another server. Use the "
        f"{wanted} endpoint, or wait for the end of a failover: its names change late.",
        certain=True,
    )
