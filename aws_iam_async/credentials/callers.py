"""Credentials from the caller's own session or callable, awaited on the caller's own loop."""

import inspect
from typing import Any

from aws_iam_async.credentials.credentials import Credentials, Snapshot, from_sdk
from aws_iam_async.credentials.failures import credentials_error, safe_text
from aws_iam_async.credentials.sdk import logs_without_secrets
from aws_iam_async.credentials.source import CallersSource, is_session
from aws_iam_async.errors import CredentialsError


async def read_callers_source(source: CallersSource) -> Snapshot:
    if not is_session(source.provider):
        return await _call(source.provider)
    session: Any = source.provider
    with logs_without_secrets():
        try:
            pending = session.get_credentials()
            if not inspect.isawaitable(pending):
                raise CredentialsError(f"{source!r} is not async; pass an aiobotocore or aioboto3 session")
            credentials: Any = await pending
            if credentials is None:
                raise CredentialsError(f"{source!r} finds no credentials")
            # The session keeps this object, which refreshes itself here by its own rules.
            frozen = await credentials.get_frozen_credentials()
            return from_sdk(frozen, credentials, source=repr(source), method=getattr(credentials, "method", "session"))
        except CredentialsError:
            raise
        except Exception as error:  # noqa: BLE001 - the SDK's sources raise anything
            failure = credentials_error(error, repr(source))
    raise failure


async def _call(provider: Any) -> Snapshot:
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
