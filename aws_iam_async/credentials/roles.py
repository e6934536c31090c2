"""Credentials of an assumed role: one call to AWS STS, signed with the credentials of another source."""

from typing import Any

from aws_iam_async import endpoints
from aws_iam_async.credentials.credentials import Credentials, Snapshot
from aws_iam_async.credentials.failures import credentials_error
from aws_iam_async.credentials.sdk import call_api
from aws_iam_async.credentials.source import AssumedRole
from aws_iam_async.errors import ConfigurationError, CredentialsError
from aws_iam_async.secret import redacted

# For each partition, the region to call if the SDK's settings name none. Every account may use it, and any region of
# the partition will do.
_REGIONS = (
    *("us-east-1", "cn-north-1", "us-gov-west-1", "us-iso-east-1"),
    *("us-isob-east-1", "eu-isoe-west-1", "us-isof-south-1", "eusc-de-east-1"),
)
_REGION_OF_PARTITION = {endpoints.partition(region): region for region in _REGIONS}


def assume_role(source: AssumedRole, credentials: Credentials, timeout: float) -> Snapshot:
    """Assume a role with the credentials of its base. Blocks: call it in a thread."""

    def convert(error: Exception) -> Exception:
        return error if isinstance(error, TimeoutError) else credentials_error(error, repr(source), source.profile)

    parameters: dict[str, Any] = {"RoleArn": source.role_arn, "RoleSessionName": source.role_session_name}
    if source.external_id is not None:
        parameters["ExternalId"] = source.external_id
    answer = call_api(
        "sts",
        "assume_role",
        credentials=credentials,
        region=None,
        default_region=_REGION_OF_PARTITION.get(source.role_arn.split(":")[1]),
        profile=source.profile,
        timeout=timeout,
        convert=convert,
        **parameters,
    )
    # Redacted first, because a traceback with locals shows what a frame holds.
    answer = {name: redacted(value) for name, value in answer.get("Credentials", {}).items()}
    keys: list[Any] = [answer.get(name) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")]
    try:
        return Snapshot(Credentials(*keys), "assume-role")
    except ConfigurationError as error:
        raise CredentialsError(f"{source!r} returned unusable credentials: {error}") from None
