"""One request to AWS STS: the identity behind the credentials, and AWS's time."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from aws_iam_async.credentials.credentials import Credentials
from aws_iam_async.credentials.failures import error_code, safe_text
from aws_iam_async.credentials.sdk import call_api
from aws_iam_async.errors import CredentialsError


class StsUnreachableError(Exception):
    """STS did not answer; the message is the SDK's name for the error."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What STS answered: the identity, or why it refused the credentials."""

    arn: str | None = None
    account: str | None = None
    refusal: str | None = None  # an error code, such as ExpiredToken
    skew: float | None = None  # seconds by which this machine's clock is ahead of STS's


def caller_identity(credentials: Credentials, *, region: str, profile: str | None, timeout: float) -> Identity:
    """Call GetCallerIdentity, which needs no permission. Blocks: run it in a thread.

    Raises:
        StsUnreachableError: There was no answer.
        TimeoutError: There was no answer in time.
        CredentialsError: The call could not be made, such as without the SDK.
    """
    sent_at = time.time()
    try:
        answer: Any = call_api(
            "sts",
            "get_caller_identity",
            credentials=credentials,
            region=region,
            profile=profile,
            timeout=timeout,
            attempts=1,
        )
        found = {"arn": answer["Arn"], "account": answer["Account"]}
    except (CredentialsError, TimeoutError):
        raise
    except Exception as error:
        # botocore raises exceptions of any type, for example if a captive portal answers.
        answer = getattr(error, "response", None)  # of a ClientError
        if not isinstance(answer, dict):
            raise StsUnreachableError(safe_text(error)) from error
        found = {"refusal": error_code(error) or "unknown"}
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    return Identity(**found, skew=clock_skew(date, sent_at, time.time()))


def clock_skew(date: str | None, sent_at: float, received_at: float) -> float | None:
    """Return the seconds by which this machine's clock is ahead of the server behind an HTTP ``Date`` header.

    The result is exact to a second plus half of the time that the answer took.
    """
    try:
        server_time = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    if server_time.tzinfo is None:
        server_time = server_time.replace(tzinfo=UTC)
    local_time = datetime.fromtimestamp((sent_at + received_at) / 2, UTC)
    return (local_time - server_time).total_seconds()
