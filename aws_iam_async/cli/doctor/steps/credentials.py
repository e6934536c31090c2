"""The AWS credentials: where they come from, and until when they work."""

import time

from aws_iam_async import ConfigurationError, CredentialsError
from aws_iam_async.cli.connection import spelt_for_the_shell
from aws_iam_async.cli.doctor.advice import credentials as advice
from aws_iam_async.cli.doctor.findings import Findings
from aws_iam_async.cli.doctor.outcome import Passed, StepFailedError
from aws_iam_async.credentials.source import source
from aws_iam_async.tokens.service import default_service

__all__ = ["run"]

# How botocore 1.43 calls its sources.
SOURCES = {
    "env": "environment variables",
    "shared-credentials-file": "the shared credentials file",
    "config-file": "the AWS config file",
    "assume-role": "an assumed role",
    "assume-role-with-web-identity": "a web identity (EKS, OIDC)",
    "container-role": "the container's credentials endpoint (ECS, EKS)",
    "iam-role": "the EC2 instance's metadata",
    "sso": "IAM Identity Center",
    "login": "aws login",
    "custom-process": "a credential_process",
}


async def run(found: Findings) -> Passed:
    """Read them."""
    profile = found.request.options.get("profile")
    try:
        found.snapshot = await default_service().credentials(source(profile=profile))
    except ConfigurationError as error:
        raise StepFailedError(spelt_for_the_shell(str(error)), advice.profile_not_found()) from error
    except CredentialsError as error:
        raise StepFailedError(spelt_for_the_shell(str(error)), advice.no_credentials(str(error), profile)) from error
    credentials, method, expires = found.snapshot
    where = SOURCES.get(method, method) + (f" (profile {profile})" if profile else "")
    mismatch = advice.session_token_mismatch(credentials.access_key, credentials.session_token)
    return Passed(
        f"{credentials.access_key} from {where}, {_life(credentials.access_key, expires)}",
        (mismatch,) if mismatch else (),
    )


def _life(access_key: str, expires: float | None) -> str:
    if expires is None:
        return "expiry not known" if advice.is_temporary(access_key) else "long-term"
    minutes = (expires - time.time()) / 60
    return f"expires in {minutes:.0f} min" if minutes < 120 else f"expires in {minutes / 60:.0f} h"  # noqa: PLR2004 - 2 hours
