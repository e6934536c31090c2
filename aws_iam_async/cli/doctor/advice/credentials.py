"""AWS credentials."""

import shlex

from aws_iam_async.cli.doctor.outcome import Advice

__all__ = [
    "credentials_unknown",
    "is_temporary",
    "no_credentials",
    "profile_not_found",
    "refused_by_sts",
    "session_token_mismatch",
    "sts_unreachable",
]

# Of temporary credentials, and of those of IAM users ("IAM identifiers" in the IAM User Guide).
TEMPORARY = "ASIA"
LONG_TERM = "AKIA"


def is_temporary(access_key: str) -> bool:
    """Whether this is the access key id of temporary credentials."""
    return access_key.startswith(TEMPORARY)


def session_token_mismatch(access_key: str, session_token: str | None) -> Advice | None:
    """A temporary key without its session token, or a long-term one beside another key's; ``None``: all is well."""
    if is_temporary(access_key) and not session_token:
        return Advice(
            "session-token-missing",
            "An access key that begins with ASIA is temporary and counts only with its session token: set "
            "AWS_SESSION_TOKEN as well.",
        )
    if access_key.startswith(LONG_TERM) and session_token:
        return Advice(
            "session-token-left-behind",
            "An access key that begins with AKIA is long-term and has no session token: the one that is set belongs to "
            "another key, and makes this one void.",
            "unset AWS_SESSION_TOKEN AWS_SECURITY_TOKEN",
        )
    return None


def profile_not_found() -> Advice:
    """A profile that is in no file."""
    return Advice("profile-not-found", "Pass the name of a profile that there is.", "aws configure list-profiles")


def no_credentials(complaint: str, profile: str | None) -> Advice:
    """There are none that work.

    Args:
        complaint: What the library says.
        profile: The profile asked for.
    """
    suffix = f" --profile {shlex.quote(profile)}" if profile else ""
    if "expired" in complaint.lower() and "(env," in complaint:
        return Advice(
            "credentials-expired",
            "The credentials in the environment variables have expired, by AWS_CREDENTIAL_EXPIRATION. Export new ones, "
            "that one and AWS_SESSION_TOKEN included; or unset them all, and the next source in the chain is asked.",
        )
    if "expired" in complaint.lower():
        return Advice(
            "credentials-expired",
            "The credentials have expired. Get new ones where these came from.",
            f"aws sso login{suffix}",
        )
    if "no AWS credentials found" in complaint:
        return Advice(
            "no-credentials",
            "There are no AWS credentials here. On a laptop sign in and name the profile with --profile, or store an "
            "access key. In a container (ECS, EKS) or on an instance (EC2) nothing has to be set: give the task, the "
            "pod or the instance a role.",
            f"aws sso login{suffix or ' --profile NAME'}\naws configure{suffix}  # for an access key",
        )
    if "SSO" in complaint:
        return Advice("credentials-expired", "The sign-in is over. Sign in again.", f"aws sso login{suffix}")
    return Advice(
        "credentials-source-failed",
        "The source that is named above was found but gave no credentials. The AWS CLI meets the same:",
        f"aws sts get-caller-identity{suffix}",
    )


def refused_by_sts(code: str) -> Advice:
    """STS refuses the credentials.

    Args:
        code: Its reason.
    """
    match code:
        case "ExpiredToken" | "ExpiredTokenException" | "RequestExpired":
            return Advice("credentials-expired", "The credentials have expired. Get new ones where these came from.")
        case "InvalidClientTokenId" | "UnrecognizedClientException":
            return Advice(
                "credentials-invalid",
                "AWS does not know this access key: it was deleted or deactivated, is of another partition, or is a "
                "temporary one with a wrong session token. (An emulator's keys are unknown to AWS, too.)",
            )
        case "SignatureDoesNotMatch" | "IncompleteSignature":
            return Advice(
                "credentials-invalid",
                "The secret key does not belong to this access key id. Was one of them copied incompletely?",
            )
        case _:
            return Advice("credentials-invalid", "STS refuses these credentials; the step identity names its reason.")


def credentials_unknown() -> Advice:
    """The credentials might be void."""
    return Advice(
        "credentials-unknown",
        "Credentials that were deactivated or have expired, and a wrong secret key, make tokens that look right. STS "
        "has not told about these.",
        "aws sts get-caller-identity",
    )


def sts_unreachable() -> Advice:
    """STS does not answer."""
    return Advice(
        "sts-unreachable",
        "The login does not need STS. To have credentials and clock checked, allow HTTPS to it (in a VPC: an interface "
        "endpoint for sts), or pass --no-sts to leave it alone.",
    )
