"""The login, by ``connect()`` itself."""

import asyncio
import contextlib

import aws_iam_async
from aws_iam_async import drivers
from aws_iam_async.cli.doctor import refusal
from aws_iam_async.cli.doctor.advice.credentials import session_token_mismatch
from aws_iam_async.cli.doctor.advice.login import Evidence, advise
from aws_iam_async.cli.doctor.findings import Findings
from aws_iam_async.cli.doctor.outcome import Passed, StepFailedError

__all__ = ["run"]

# What each driver calls the seconds that the whole of a connect may take.
TIMEOUT = {"asyncpg": "timeout", "aiomysql": "connect_timeout"}


async def run(found: Findings) -> Passed:
    """Log in, and stay connected for the query."""
    target = found.target
    options = {**target.options, TIMEOUT[found.driver]: target.timeout}
    try:
        found.connection = await aws_iam_async.connect(target.dsn, **options)
    except Exception as error:
        # The notes of the library say what the report says better.
        raise StepFailedError(_line(error), *advise(refusal.read(error), _evidence(found, error))) from error
    found.closing.push_async_callback(_close, found)
    return Passed(f"as {found.signed.user}")


async def _close(found: Findings) -> None:
    # What is to be known is known by now, and a server that has died in between must not hold the report up.
    with contextlib.suppress(Exception):
        async with asyncio.timeout(found.target.timeout):
            await drivers.loaded(found.driver).close(found.connection, failed=False)


def _line(error: Exception) -> str:
    # aiomysql's errors are pairs of a number and a text.
    text = f"{error.args[1]} ({error.args[0]})" if len(error.args) == 2 else str(error)  # noqa: PLR2004 - see above
    return text or type(error).__name__


def _evidence(found: Findings, error: Exception) -> Evidence:
    request, signed, credentials = found.request, found.signed, found.snapshot.credentials
    return Evidence(
        driver=found.driver,
        user=signed.user,
        database=request.database,
        region=signed.region,
        port=signed.port,
        default_port=drivers.loaded(found.driver).default_port,
        dialled_port=request.port,
        port_is_dialled="iam_default_port" not in request.options,
        host_is_endpoint=signed.server_name is None,
        endpoint=found.endpoint,
        identity=found.identity,
        session_token_mismatch=session_token_mismatch(credentials.access_key, credentials.session_token),
        server_settings=request.driver_options.get("server_settings") or (),
        complaint=str(error),
    )
