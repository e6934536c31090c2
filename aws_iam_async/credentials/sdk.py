"""Credentials from aiobotocore's own chain, read in a thread that has an event loop of its own.

All of it happens there: importing the SDK (about 0.3 s), reading files, building an STS client, waiting for endpoints.
The caller's loop does nothing but wait.
"""

import asyncio
import os
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from aws_iam_async.credentials import plain_http
from aws_iam_async.credentials.collections_held import collections_held
from aws_iam_async.credentials.failure import explain
from aws_iam_async.credentials.freeze import expiry, freeze
from aws_iam_async.credentials.quiet import quiet
from aws_iam_async.credentials.snapshot import Snapshot
from aws_iam_async.errors import AwsIamError, ConfigurationError, CredentialsError

if TYPE_CHECKING:
    from aiobotocore.session import AioSession


def read(profile: str | None) -> Snapshot:
    """Read the credentials anew, with a new session. Blocks: never call it on an event loop's thread.

    Args:
        profile: The profile to read, ``None`` for the default chain.

    Raises:
        ConfigurationError: There is no such profile.
        CredentialsError: No credentials were found, or their source failed.
    """
    return _run(_read_profile(profile), "the default chain" if profile is None else f"profile {profile!r}")


def read_session(session: "AioSession", name: str) -> Snapshot:
    """Read anew what a caller's session finds, and leave it as it is. Blocks: never call it on an event loop's thread.

    The chain asked here is made from the session's configuration for this one time. So its locks and whatever else is
    bound to an event loop never meet those that the caller's own clients use.

    Args:
        session: A session whose chain is the SDK's own: see :func:`~aws_iam_async.credentials.session.unused`.
        name: What to call it in messages.

    Raises:
        CredentialsError: No credentials were found, or their source failed.
    """
    return _run(_read_session(session, name), name)


def _run(reading: Coroutine[Any, Any, Snapshot], looked_in: str) -> Snapshot:
    # The policy's own kind of loop: under uvloop's policy asyncio's (3.11) cannot start a credential_process. And no
    # debug mode, which would report every step as slow: this loop is there to be held.
    with quiet(), asyncio.Runner(debug=False) as runner:
        return runner.run(_explained(reading, looked_in))


async def _explained(reading: Coroutine[Any, Any, Snapshot], looked_in: str) -> Snapshot:
    try:
        return await reading
    except AwsIamError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever the SDK's many sources raise
        failure = explain(error, looked_in)
    raise failure


async def _read_profile(profile: str | None) -> Snapshot:
    session = _new_session(profile)
    if profile is not None and profile not in session.available_profiles:
        known = ", ".join(sorted(session.available_profiles)) or "none"
        raise ConfigurationError(f"profile {profile!r} is not in the shared AWS files; known profiles: {known}")
    chain = session.get_component("credential_provider")
    plain_http.use(chain, os.environ)
    credentials = await chain.load_credentials()
    if credentials is None:
        raise CredentialsError(_nothing_found(profile))
    return await _freeze(credentials)


async def _read_session(session: "AioSession", name: str) -> Snapshot:
    from aiobotocore.credentials import get_credentials  # noqa: PLC0415 - loaded by whoever made the session

    credentials = await get_credentials(session)
    if credentials is None:
        raise CredentialsError(f"{name} finds no credentials")
    return await _freeze(credentials)


async def _freeze(credentials: Any) -> Snapshot:
    # Just read, so there is nothing to refresh: get_frozen_credentials() of botocore 1.43 would ask the endpoint a
    # second time for whatever has less than 15 minutes left. Only the kinds that ask late have nothing yet.
    frozen = getattr(credentials, "_frozen_credentials", None) or await credentials.get_frozen_credentials()
    return freeze(frozen, method=credentials.method, expires_at=expiry(credentials))


def _new_session(profile: str | None) -> "AioSession":
    session_type = _session_type()
    with quiet():  # once more, for the loggers that the import has just made
        return session_type(profile=profile)


def _session_type() -> "type[AioSession]":
    with collections_held():
        from aiobotocore import session  # noqa: PLC0415 - the one place where the SDK is imported
    session_type: type[AioSession] = session.AioSession
    return session_type


def _nothing_found(profile: str | None) -> str:
    files = " and ".join(
        os.environ.get(name) or usual
        for name, usual in (("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"), ("AWS_CONFIG_FILE", "~/.aws/config"))
    )
    if profile is not None:
        return f"no AWS credentials found: profile {profile!r} in {files} names none"
    return (
        "no AWS credentials found: looked for environment variables (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY), web "
        f"identity (AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE), the files {files} (keys, roles, SSO, "
        "credential_process), container credentials (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or "
        "AWS_CONTAINER_CREDENTIALS_FULL_URI) and the EC2 instance's metadata. Set one up, or pass profile= or "
        "credentials="
    )
