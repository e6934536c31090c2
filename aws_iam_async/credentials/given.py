"""Credentials from an object of the caller's, awaited on the caller's own loop."""

import asyncio
import inspect

from aws_iam_async.credentials.credentials import Credentials
from aws_iam_async.credentials.failure import explain
from aws_iam_async.credentials.freeze import expiry, freeze
from aws_iam_async.credentials.quiet import quiet
from aws_iam_async.credentials.snapshot import Snapshot, take
from aws_iam_async.credentials.source import AwsSession, CredentialsCallable, Given, is_session
from aws_iam_async.errors import AwsIamError, CredentialsError

_NOT_ASYNC = object()


async def ask(source: Given) -> Snapshot:
    """Ask a caller's session or callable for its credentials of now.

    Raises:
        CredentialsError: It failed, has none, or gave something else.
    """
    try:
        if is_session(source.provider):
            return await _ask_session(source.provider, name(source))  # type: ignore[arg-type]  # just asked
        return await _ask_callable(source.provider)  # type: ignore[arg-type]  # what is no session is a callable
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise CredentialsError(f"{source!r} was cancelled from within") from None


def name(source: Given) -> str:
    """Return what to call a session in messages."""
    return f"the {type(source.provider).__name__} passed as credentials="


async def _ask_session(session: AwsSession, name: str) -> Snapshot:
    with quiet():
        try:
            return await _freeze_session(session, name)
        except AwsIamError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the SDK's many sources raise
            failure = explain(error, name)
    raise failure


async def _freeze_session(session: AwsSession, name: str) -> Snapshot:
    asked = session.get_credentials()
    if not inspect.isawaitable(asked):
        raise CredentialsError(f"{name}: get_credentials() is not async; pass an aiobotocore or aioboto3 session")
    credentials = await asked
    if credentials is None:
        raise CredentialsError(f"{name} finds no credentials")
    # A long-lived object, which refreshes itself here by its own rules.
    frozen = await credentials.get_frozen_credentials()  # type: ignore[attr-defined]  # botocore's, untyped
    return freeze(frozen, method=str(getattr(credentials, "method", "session")), expires_at=expiry(credentials))


async def _ask_callable(provider: CredentialsCallable) -> Snapshot:
    name = getattr(provider, "__qualname__", type(provider).__name__)
    try:
        asked: object = provider()  # whatever an untyped caller's function returns
        answer = await asked if inspect.isawaitable(asked) else _NOT_ASYNC
    except CredentialsError:
        raise
    except Exception as error:
        raise CredentialsError(f"credentials: {name}() raised {type(error).__name__}") from error
    if answer is _NOT_ASYNC:
        raise CredentialsError(f"credentials: {name}() is not async: define it with async def")
    if isinstance(answer, Credentials):
        return take(answer, "callable")
    return freeze(answer, method="callable", expires_at=expiry(answer))
