"""Credentials from aiobotocore's own chain, read in a thread that has an event loop of its own.

All of it happens there: importing the SDK (about 0.3 s), reading files, building an STS client, waiting for endpoints.
The caller's loop only waits.
"""

import asyncio
import contextlib
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any

from aws_iam_async.credentials.credentials import Snapshot, expiry_of, from_sdk
from aws_iam_async.errors import AwsIamError, ConfigurationError, CredentialsError
from aws_iam_async.threads import garbage_collection_paused

# What a process or an endpoint answered may contain secrets. botocore 1.43 quotes it in its errors as ``error_msg``. In
# these two errors that is a message of its own.
_OWN_MESSAGES = frozenset({"InvalidConfigError", "SSOTokenLoadError"})

_LIBRARIES = ("aiobotocore", "aiohttp", "asyncio", "botocore", "urllib3")
_reading = ContextVar("aws_iam_async_reading_credentials", default=False)


def read_chain(profile: str | None) -> Snapshot:
    """Read the default chain or a profile with a new session. Blocks: never call it on an event loop's thread."""
    # The loop of the policy in force: under uvloop's policy asyncio's (3.11) cannot start a credential_process. Without
    # debug mode, which would report every step as slow.
    with logs_without_secrets(), asyncio.Runner(debug=False) as runner:
        return runner.run(_read(profile))


async def _read(profile: str | None) -> Snapshot:
    try:
        return await _load_chain(profile)
    except AwsIamError:
        raise
    except Exception as error:  # noqa: BLE001 - the SDK's sources raise anything
        failure = credentials_error(error, "the default chain" if profile is None else f"profile {profile!r}")
    raise failure


async def _load_chain(profile: str | None) -> Snapshot:
    with garbage_collection_paused():
        from aiobotocore.session import AioSession  # noqa: PLC0415 - takes 0.3 s, so it is imported in this thread
    with logs_without_secrets():  # for the loggers that the import has created
        session = AioSession(profile=profile)
    if profile is not None and profile not in session.available_profiles:
        known = ", ".join(sorted(session.available_profiles)) or "none"
        raise ConfigurationError(f"profile {profile!r} is not in the shared AWS files; available profiles: {known}")
    credentials: Any = await session.get_component("credential_provider").load_credentials()
    if credentials is None:
        raise CredentialsError(_nothing_found(profile))
    # These were just read. get_frozen_credentials() of botocore 1.43 would ask the endpoint again if they have less
    # than 15 minutes left. Only the kinds that read on first use have no keys yet.
    frozen = getattr(credentials, "_frozen_credentials", None) or await credentials.get_frozen_credentials()
    return from_sdk(frozen, method=credentials.method, expires_at=expiry_of(credentials))


def _nothing_found(profile: str | None) -> str:
    files = " and ".join(
        os.environ.get(name) or usual
        for name, usual in (("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"), ("AWS_CONFIG_FILE", "~/.aws/config"))
    )
    if profile is not None:
        return f"no AWS credentials found: profile {profile!r} in {files} names none"
    return (
        "no AWS credentials found. The chain looked for environment variables (AWS_ACCESS_KEY_ID and"
        " AWS_SECRET_ACCESS_KEY) and web identity (AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE)."
        f" It read the files {files} (keys, roles, SSO, credential_process). It tried container credentials"
        " (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or AWS_CONTAINER_CREDENTIALS_FULL_URI) and EC2 instance metadata."
        " Configure one of them, or pass profile= or credentials="
    )


@contextlib.contextmanager
def logs_without_secrets() -> Iterator[None]:
    """Drop the SDK's DEBUG records and its tracebacks in this context and in the tasks started from it.

    botocore 1.43 writes the answers of STS and SSO, secret keys included, to its DEBUG log, and the text of malformed
    answers to the tracebacks of its warnings. Elsewhere the SDK's logs are unchanged.
    """
    token = _reading.set(True)
    try:
        for name, logger in list(logging.root.manager.loggerDict.items()):
            if isinstance(logger, logging.Logger) and name.partition(".")[0] in _LIBRARIES:
                logger.addFilter(_without_secrets)  # again is harmless
        yield
    finally:
        _reading.reset(token)


def _without_secrets(record: logging.LogRecord) -> bool:
    if not _reading.get():
        return True
    record.exc_info = record.exc_text = record.stack_info = None
    return record.levelno >= logging.INFO


def credentials_error(error: Exception, source: str) -> CredentialsError:
    """Convert an error of the SDK into one of this package, without secrets.

    The SDK's error becomes its cause only if it contains nothing but the SDK's own words.
    """
    name = type(error).__name__
    response = getattr(error, "response", None)  # botocore.exceptions.ClientError
    code = str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""
    if code.isdigit():  # an answer that is no error message of AWS: botocore 1.43 then quotes the answer
        return CredentialsError(f"no AWS credentials from {source}: {name}: HTTP status {code}")
    details = getattr(error, "kwargs", {})  # botocore.exceptions.BotoCoreError
    of_botocore = any(base.__module__ == "botocore.exceptions" for base in type(error).__mro__)
    if of_botocore and ("error_msg" not in details or name in _OWN_MESSAGES):
        failure = CredentialsError(f"no AWS credentials from {source}: {name}: {error}")
        # Without the frames, because their locals may hold secrets, and without the errors before it.
        error.__cause__ = error.__context__ = None
        failure.__cause__ = error.with_traceback(None)
        return failure
    safe_part = _safe_part(details) if of_botocore else " (its text is not shown: it may quote the answer)"
    return CredentialsError(f"no AWS credentials from {source}: {name}{safe_part}")


def _safe_part(details: Mapping[str, object]) -> str:
    """Return the part of a botocore error's text that quotes no answer."""
    provider = details.get("provider")
    text = str(details.get("error_msg", "")).removeprefix("Error retrieving metadata: ")
    if provider == "custom-process" and not text.startswith(("Unsupported version", "Missing required key")):
        return ": the credential_process failed; run its command in a shell to see its output"
    words = re.split(r"[:\n]", text, maxsplit=1)[0][:120]
    return (f" from {provider}" if provider else "") + (f": {words}" if words else "")
