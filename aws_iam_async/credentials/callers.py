"""Credentials from the caller's own session or callable, awaited on the caller's own loop."""

import inspect

from aws_iam_async.credentials.credentials import Credentials, Snapshot, from_sdk
from aws_iam_async.credentials.failures import credentials_error, safe_text
from aws_iam_async.credentials.sdk import logs_without_secrets
from aws_iam_async.credentials.source import AwsSession, CallersSource, CredentialsCallable, is_session
from aws_iam_async.errors import AwsIamError, CredentialsError


async def read_callers_source(source: CallersSource) -> Snapshot:
    """Return the present credentials of a caller's session or callable."""
    if not is_session(source.provider):
        return await _call(source.provider)  # type: ignore[arg-type]  # anything but a session is a callable
    with logs_without_secrets():
        try:
            return await _read_session(source.provider, repr(source))  # type: ignore[arg-type]  # it is a session
        except AwsIamError:
            raise
        except Exception as error:  # noqa: BLE001 - the SDK's sources raise anything
            failure = credentials_error(error, repr(source))
    raise failure


async def _read_session(session: AwsSession, name: str) -> Snapshot:
    pending = session.get_credentials()
    if not inspect.isawaitable(pending):
        raise CredentialsError(f"{name}: get_credentials() is not async; pass an aiobotocore or aioboto3 session")
    credentials = await pending
    if credentials is None:
        raise CredentialsError(f"{name} finds no credentials")
    # The session keeps this object, which refreshes itself here by its own rules.
    frozen = await credentials.get_frozen_credentials()  # type: ignore[attr-defined]  # botocore's, untyped
    return from_sdk(frozen, credentials, source=name, method=str(getattr(credentials, "method", "session")))


async def _call(provider: CredentialsCallable) -> Snapshot:
    name = f"credentials: {getattr(provider, '__qualname__', type(provider).__name__)}()"
    try:
        pending: object = provider()  # an untyped function may return anything
        if not inspect.isawaitable(pending):
            raise CredentialsError(f"{name} is not async: define it with async def")
        answer = await pending
    except CredentialsError:
        raise
    except Exception as error:
        raise CredentialsError(f"{name} raised {safe_text(error)}") from error
    if isinstance(answer, Credentials):
        return Snapshot(answer, "callable")
    return from_sdk(answer, answer, source=name, method="callable")
