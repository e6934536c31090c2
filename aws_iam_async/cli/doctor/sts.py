"""Who the credentials belong to, and how late it is by AWS's clock: one question to STS."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from aws_iam_async.credentials.collections_held import collections_held
from aws_iam_async.credentials.credentials import Credentials
from aws_iam_async.credentials.quiet import quiet

__all__ = ["Identity", "StsUnreachableError", "ask", "skew"]


class StsUnreachableError(Exception):
    """STS did not answer; the message is the SDK's name for what happened."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What STS answered.

    Attributes:
        arn: Whose credentials they are; ``None`` if they were refused.
        account: The number of the AWS account; ``None`` if they were refused.
        refusal: STS's code for why they were refused, such as ``ExpiredToken``; else ``None``.
        skew: Seconds by which this machine's clock is ahead of STS's; negative: behind. ``None``: STS did not say.
    """

    arn: str | None = None
    account: str | None = None
    refusal: str | None = None
    skew: float | None = None


def ask(credentials: Credentials, *, region: str, profile: str | None, timeout: float) -> Identity:
    """Call GetCallerIdentity, which needs no permission. Blocks: run it in a thread.

    Args:
        credentials: Whose identity is asked for.
        region: Which region's STS to ask: the one where the token counts.
        profile: The profile whose settings (a proxy's certificates, other endpoints) apply to the call.
        timeout: Seconds for the connect, and again for the answer.

    Raises:
        StsUnreachableError: There was no answer.
    """
    with quiet(), collections_held():
        import botocore.session  # noqa: PLC0415 - takes 0.3 s
        from botocore.config import Config  # noqa: PLC0415 - the same
        from botocore.exceptions import ClientError  # noqa: PLC0415 - the same
    # Once more, for the loggers that the import has just made: botocore 1.43 logs the headers of its requests, and the
    # session token is one of them.
    with quiet():
        try:
            client: Any = botocore.session.Session(profile=profile).create_client(
                "sts",
                region_name=region,
                aws_access_key_id=credentials.access_key,
                aws_secret_access_key=str(credentials.secret_key),
                aws_session_token=None if credentials.session_token is None else str(credentials.session_token),
                config=Config(connect_timeout=timeout, read_timeout=timeout, retries={"total_max_attempts": 1}),
            )
            asked_at = time.time()
            answer = client.get_caller_identity()
            answered_at = time.time()
            return Identity(
                arn=answer["Arn"], account=answer["Account"], skew=skew(_date(answer), asked_at, answered_at)
            )
        except ClientError as error:
            refusal = str(error.response.get("Error", {}).get("Code", "unknown"))
            return Identity(refusal=refusal, skew=skew(_date(error.response), asked_at, time.time()))
        except Exception as error:  # noqa: BLE001 - botocore raises anything, where a portal of the network's answers
            raise StsUnreachableError(type(error).__name__) from None


def skew(date: str | None, asked_at: float, answered_at: float) -> float | None:
    """Return by how many seconds this machine's clock is ahead of the one behind an HTTP ``Date`` header.

    It is known to a second, plus half the time that the answer took.

    Args:
        date: The header.
        asked_at: This machine's time before the question.
        answered_at: And after the answer.
    """
    try:
        told = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    if told.tzinfo is None:
        told = told.replace(tzinfo=UTC)
    here = datetime.fromtimestamp((asked_at + answered_at) / 2, UTC)
    return (here - told).total_seconds()


def _date(response: Mapping[str, Any]) -> str | None:
    date: str | None = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    return date
