"""The AWS SDK (aiobotocore) in a thread that has an event loop of its own: its credentials chain, and its clients.

All of it happens there: importing the SDK (about 0.3 s), reading files, building clients, waiting for endpoints. The
caller's loop only waits.
"""

import asyncio
import atexit
import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextvars import ContextVar
from typing import Any, NoReturn, TypeVar, cast
from weakref import WeakSet

from aws_iam_async.credentials.credentials import Credentials, Snapshot, from_sdk
from aws_iam_async.credentials.failures import NO_CREDENTIALS, Remedy, credentials_error
from aws_iam_async.credentials.source import SdkChain
from aws_iam_async.errors import AwsIamError, ConfigurationError, CredentialsError
from aws_iam_async.threads import garbage_collection_paused

T = TypeVar("T")
_LIBRARIES = ("aiobotocore", "aiohttp", "asyncio", "botocore", "urllib3")
_reading = ContextVar("aws_iam_async_reading_credentials", default=False)
_reads: WeakSet[asyncio.Task[Any]] = WeakSet()
_program_ends = threading.Event()


def read_chain(source: SdkChain, timeout: float) -> Snapshot:
    """Read the default chain or a profile with a new session. Blocks: call it in a thread.

    The read ends with the processes that it started: after ``timeout`` seconds with a ``TimeoutError``, or when the
    program ends.
    """
    return _run(_read_chain(source), timeout)


def call_api(
    service: str,
    operation: str,
    *,
    credentials: Credentials,
    region: str | None,
    default_region: str | None = None,
    endpoint: str | None = None,
    profile: str | None = None,
    timeout: float,
    attempts: int = 3,
    convert: Callable[[Exception], Exception] = lambda error: error,
    **parameters: Any,
) -> dict[str, Any]:
    """Call one operation of an AWS service with a new client, and return the answer. Blocks: call it in a thread.

    The settings of the SDK, those of ``profile`` among them, decide on what is ``None``. ``default_region`` is for
    settings that name no region. ``timeout`` is for the whole call. Each attempt has so little of it that the error of
    the last one is raised, or what ``convert`` makes of it. That error has no frames, because their locals hold
    secrets. Its text may quote the answer: show it by ``safe_text()``. Without an answer it is a ``TimeoutError``.
    """

    async def call() -> dict[str, Any]:
        session = _new_session(profile)
        from aiobotocore.config import AioConfig  # noqa: PLC0415 - imported in this thread, like the session

        configured = session.get_config_variable("region") or os.environ.get("AWS_REGION")  # unknown to botocore 1.43
        seconds = timeout / (attempts + 1)
        retries = {"total_max_attempts": attempts} if session.get_config_variable("max_attempts") is None else None
        async with session.create_client(
            service,
            region_name=region or configured or default_region,
            endpoint_url=endpoint,
            aws_access_key_id=credentials.access_key,
            aws_secret_access_key=credentials.secret_key,
            aws_session_token=credentials.session_token,
            config=AioConfig(connect_timeout=seconds, read_timeout=seconds, retries=retries),
        ) as client:
            answer: dict[str, Any] = await getattr(client, operation)(**parameters)
            return answer

    try:
        return _run(call(), timeout)
    except AwsIamError:
        raise
    except Exception as error:  # noqa: BLE001 - the SDK raises anything
        failure = convert(error)
        error.__cause__ = error.__context__ = error.__traceback__ = None
    raise failure


def _run(coroutine: Coroutine[Any, Any, T], timeout: float) -> T:
    """Run a coroutine on a loop of its own, for ``timeout`` seconds at most, or until the program ends."""

    async def run() -> T:
        _reads.add(cast("asyncio.Task[Any]", asyncio.current_task()))
        if _program_ends.is_set():
            coroutine.close()
            raise asyncio.CancelledError
        async with asyncio.timeout(timeout):
            return await coroutine

    # The loop of the policy in force: under uvloop's policy asyncio's (3.11) cannot start a credential_process. Without
    # debug mode, which would report every step as slow.
    with logs_without_secrets(), asyncio.Runner(debug=False) as runner, _processes_ended(runner):
        return runner.run(run())


@atexit.register
def _end_reads() -> None:
    _program_ends.set()
    for task in list(_reads):
        with contextlib.suppress(RuntimeError):  # its loop has ended
            task.get_loop().call_soon_threadsafe(task.cancel)


@contextlib.contextmanager
def _processes_ended(runner: asyncio.Runner) -> Iterator[None]:
    """Run each credential_process without a terminal, in a session of its own, and kill what runs at the end.

    The end is a run of its own, because the read may be cancelled twice: by its timeout and by the program's end.
    """
    loop, starts = runner.get_loop(), list[asyncio.Task[tuple[asyncio.SubprocessTransport, Any]]]()
    start = loop.subprocess_exec

    async def start_alone(*arguments: Any, **options: Any) -> Any:
        options |= {"stdin": subprocess.DEVNULL, "start_new_session": True}
        starts.append(loop.create_task(start(*arguments, **options)))
        return await asyncio.shield(starts[-1])  # a start that is cancelled leaves the children of its process

    async def end() -> None:
        for started in await asyncio.gather(*starts, return_exceptions=True):
            if isinstance(started, BaseException):  # such as a program that is not there
                continue
            process, _ = started
            # A process that has ended may have children that still write to its pipes. A daemon does not.
            if process.get_returncode() is None or not all(map(_is_read, map(process.get_pipe_transport, (1, 2)))):
                with contextlib.suppress(ProcessLookupError):  # it ended before the loop could see it
                    os.killpg(process.get_pid(), signal.SIGKILL)  # its children too
            while process.get_returncode() is None:  # noqa: ASYNC110 - asyncio has no event for it
                await asyncio.sleep(0.01)
            process.close()
            await asyncio.sleep(0)  # its pipes close

    loop.subprocess_exec = start_alone  # type: ignore[method-assign]  # of this loop only
    try:
        yield
    finally:
        runner.run(end())


def _is_read(pipe: asyncio.BaseTransport | None) -> bool:
    """Return whether a pipe has been read to its end."""
    return pipe is None or pipe.is_closing()


async def _read_chain(source: SdkChain) -> Snapshot:
    session, signs_in = None, source.profile
    try:
        session = _new_session(source.profile)
        return await _load(session, source)
    except AwsIamError:
        raise
    except Exception as error:  # noqa: BLE001 - the SDK's sources raise anything
        with contextlib.suppress(Exception):  # the files may be what cannot be read
            signs_in = _profile_that_signs_in(session)
        failure = credentials_error(error, repr(source), signs_in)
    raise failure


def _new_session(profile: str | None) -> Any:
    is_imported = "aiobotocore.session" in sys.modules
    try:
        with contextlib.nullcontext() if is_imported else garbage_collection_paused():
            from aiobotocore.session import AioSession  # noqa: PLC0415 - takes 0.3 s, so it is imported in this thread
    except Exception as error:
        problem = f"the AWS SDK (aiobotocore) cannot be imported: {type(error).__name__}: {error}"
        raise Remedy("sdk-missing", "Install it again", "pip install --upgrade aiobotocore").error(problem) from error
    with logs_without_secrets():  # for the loggers that the import has created
        session = AioSession(profile=profile)
    name, known = session.profile, f"available profiles: {', '.join(sorted(session.available_profiles)) or 'none'}"
    if name is None or name in session.available_profiles:
        return session
    if profile is not None:
        raise ConfigurationError(f"profile {profile!r} is not in the shared AWS files; {known}")
    variable = "AWS_DEFAULT_PROFILE" if "AWS_DEFAULT_PROFILE" in os.environ else "AWS_PROFILE"
    remedy = Remedy("profile-not-found", f"Unset {variable}, or set it to an existing profile ({known})")
    raise remedy.error(f"{variable} names profile {name!r}, which is not in the shared AWS files")


async def _load(session: Any, source: SdkChain) -> Snapshot:
    def refuse(prompt: str) -> NoReturn:
        device = prompt.removeprefix("Enter MFA code for ").rstrip(": ")
        text = "Pass a session that has one as credentials=, or use a profile with temporary credentials"
        raise CredentialsError(f"{source!r} needs an MFA code of {device}", "mfa-required", text)

    chain = session.get_component("credential_provider")
    # Its own prompter reads from the terminal, in this thread. botocore 1.43 has no public way to replace it.
    chain.get_provider("assume-role")._prompter = refuse  # noqa: SLF001 - see above
    credentials: Any = await chain.load_credentials()
    if credentials is None:
        raise NO_CREDENTIALS.error(_nothing_found(source.profile))
    # get_frozen_credentials() of botocore 1.43 asks the source again if they have less than 15 minutes left. Only those
    # of ``aws login`` come from a file, whatever their age. Some kinds have none yet.
    read = None if credentials.method == "login" else getattr(credentials, "_frozen_credentials", None)
    frozen = read or await credentials.get_frozen_credentials()
    return from_sdk(frozen, credentials, source=repr(SdkChain(session.profile)), method=credentials.method)


def _profile_that_signs_in(session: Any) -> str:
    """Return the profile at the end of a chain of roles, which holds the sign-in or the keys."""
    profiles, names = session.full_config["profiles"], [session.profile or "default"]
    while (source := profiles.get(names[-1], {}).get("source_profile")) and source not in names:
        names.append(source)
    return str(names[-1])


def _nothing_found(profile: str | None) -> str:
    files = os.environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")
    files += f" and {os.environ.get('AWS_CONFIG_FILE', '~/.aws/config')}"
    if profile is not None:
        return f"no AWS credentials found: profile {profile!r} in {files} names none"
    return (
        "no AWS credentials found. The chain looked for environment variables (AWS_ACCESS_KEY_ID and"
        " AWS_SECRET_ACCESS_KEY) and web identity (AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE)."
        f" It read the files {files} (keys, roles, SSO, credential_process). It tried container credentials"
        " (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or AWS_CONTAINER_CREDENTIALS_FULL_URI) and EC2 instance metadata"
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
