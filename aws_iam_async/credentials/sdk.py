"""Credentials from aiobotocore's own chain, read in a thread that has an event loop of its own.

All of it happens there: importing the SDK (about 0.3 s), reading files, building an STS client, waiting for endpoints.
The caller's loop only waits.
"""

import asyncio
import atexit
import contextlib
import logging
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from typing import Any, NoReturn
from weakref import WeakSet

from aws_iam_async import threads
from aws_iam_async.credentials.credentials import Snapshot, expiry_of, from_sdk
from aws_iam_async.credentials.failures import MFA, NO_CREDENTIALS, Remedy, credentials_error
from aws_iam_async.errors import AwsIamError, ConfigurationError, CredentialsError
from aws_iam_async.threads import garbage_collection_paused

_LIBRARIES = ("aiobotocore", "aiohttp", "asyncio", "botocore", "urllib3")
_reading = ContextVar("aws_iam_async_reading_credentials", default=False)
_reads: WeakSet["ChainRead"] = WeakSet()


class ChainRead:
    """A read of the default chain or a profile in a thread of its own, which ends with the processes that it started.

    It is given up after ``timeout`` seconds, by ``give_up()``, or when the program ends.
    """

    def __init__(self, profile: str | None, timeout: float) -> None:
        self._profile, self._timeout = profile, timeout
        self._running: tuple[asyncio.AbstractEventLoop, asyncio.Task[Any] | None] | None = None
        self.is_given_up = False
        _reads.add(self)
        self.future = threads.start(self._run, name="credentials")

    def give_up(self) -> None:
        """End the read. Safe from any thread."""
        self.is_given_up = True
        if self._running is not None and (task := self._running[1]) is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                self._running[0].call_soon_threadsafe(task.cancel)

    def _run(self) -> Snapshot:
        # The loop of the policy in force: under uvloop's policy asyncio's (3.11) cannot start a credential_process.
        # Without debug mode, which would report every step as slow.
        with logs_without_secrets(), asyncio.Runner(debug=False) as runner:
            return runner.run(self._read())

    async def _read(self) -> Snapshot:
        self._running = asyncio.get_running_loop(), asyncio.current_task()
        with contextlib.suppress(TimeoutError, asyncio.CancelledError):
            async with asyncio.timeout(0 if self.is_given_up else self._timeout), _processes_ended():
                return await _read_chain(self._profile)
        raise CredentialsError(f"{_name(self._profile)} did not answer, and was given up")


@atexit.register
def _end_reads() -> None:
    for read in list(_reads):
        read.give_up()


@contextlib.asynccontextmanager
async def _processes_ended() -> AsyncIterator[None]:
    """Run each credential_process without a terminal, in a session of its own, and kill what runs at the end."""
    loop, starting = asyncio.get_running_loop(), list[asyncio.Task[Any]]()
    start = loop.subprocess_exec

    async def start_alone(*arguments: Any, **options: Any) -> Any:
        options |= {"stdin": subprocess.DEVNULL, "start_new_session": True}
        starting.append(asyncio.create_task(start(*arguments, **options)))
        return await asyncio.shield(starting[-1])  # asyncio 3.11 leaves pipes open if it is cancelled here

    loop.subprocess_exec = start_alone  # type: ignore[method-assign]  # of this loop only
    try:
        yield
    finally:
        for started in await asyncio.gather(*starting, return_exceptions=True):
            if not isinstance(started, BaseException):
                if started[0].get_returncode() is None:
                    os.killpg(started[0].get_pid(), signal.SIGKILL)  # its children too
                while started[0].get_returncode() is None:  # noqa: ASYNC110 - asyncio has no event for it
                    await asyncio.sleep(0.01)
                started[0].close()
                await asyncio.sleep(0)  # its pipes close


def _name(profile: str | None) -> str:
    return "the default chain" if profile is None else f"profile {profile!r}"


async def _read_chain(profile: str | None) -> Snapshot:
    session, signs_in = None, profile
    try:
        session = _new_session(profile)
        return await _load(session, profile)
    except AwsIamError:
        raise
    except Exception as error:  # noqa: BLE001 - the SDK's sources raise anything
        with contextlib.suppress(Exception):  # the files may be what cannot be read
            signs_in = _profile_that_signs_in(session)
        failure = credentials_error(error, _name(profile), signs_in)
    raise failure


def _new_session(profile: str | None) -> Any:
    try:
        with garbage_collection_paused():
            from aiobotocore.session import AioSession  # noqa: PLC0415 - takes 0.3 s, so it is imported in this thread
    except Exception as error:
        problem = f"the AWS SDK (aiobotocore) cannot be imported: {type(error).__name__}: {error}"
        remedy = Remedy("sdk-missing", "Install it again", "pip install --upgrade aiobotocore")
        raise CredentialsError(problem, *remedy) from error
    with logs_without_secrets():  # for the loggers that the import has created
        session = AioSession(profile=profile)
    name, known = session.profile, f"available profiles: {', '.join(sorted(session.available_profiles)) or 'none'}"
    if name is None or name in session.available_profiles:
        return session
    if profile is not None:
        raise ConfigurationError(f"profile {profile!r} is not in the shared AWS files; {known}")
    variable = "AWS_DEFAULT_PROFILE" if "AWS_DEFAULT_PROFILE" in os.environ else "AWS_PROFILE"
    problem = f"names profile {name!r}, which is not in the shared AWS files" if name else "is empty"
    remedy = Remedy("profile-not-found", f"Unset {variable}, or set it to an existing profile ({known})")
    raise CredentialsError(f"{variable} {problem}", *remedy)


async def _load(session: Any, profile: str | None) -> Snapshot:
    def refuse(prompt: str) -> NoReturn:
        device = prompt.removeprefix("Enter MFA code for ").rstrip(": ")
        raise CredentialsError(f"{_name(profile)} needs an MFA code of {device}", *MFA)

    chain = session.get_component("credential_provider")
    # Its own prompter reads from the terminal, in this thread. botocore 1.43 has no public way to replace it.
    chain.get_provider("assume-role")._prompter = refuse  # noqa: SLF001 - see above
    credentials: Any = await chain.load_credentials()
    if credentials is None:
        raise CredentialsError(_nothing_found(profile), *NO_CREDENTIALS)
    # get_frozen_credentials() of botocore 1.43 asks the source again if they have less than 15 minutes left. Only those
    # of ``aws login`` come from a file, whatever their age. Some kinds have none yet.
    read = None if credentials.method == "login" else getattr(credentials, "_frozen_credentials", None)
    frozen = read or await credentials.get_frozen_credentials()
    source = _name(session.profile)
    return from_sdk(frozen, source=source, method=credentials.method, expires_at=expiry_of(credentials))


def _profile_that_signs_in(session: Any) -> str:
    """Return the profile at the end of a chain of roles, which holds the sign-in or the keys."""
    profiles, names = session.full_config["profiles"], [session.profile or "default"]
    while (source := profiles.get(names[-1], {}).get("source_profile")) and source not in names:
        names.append(source)
    return str(names[-1])


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
