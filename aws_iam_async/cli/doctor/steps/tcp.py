"""The port: whether anybody listens there, and can be reached from here."""

import asyncio
import contextlib

from aws_iam_async import drivers
from aws_iam_async.cli.doctor.advice import network as advice
from aws_iam_async.cli.doctor.findings import Findings
from aws_iam_async.cli.doctor.outcome import Passed, StepFailedError

__all__ = ["run"]


async def run(found: Findings) -> Passed:
    """Dial each address until one answers, as the drivers do."""
    port, seconds = found.request.port, found.target.timeout
    default = drivers.loaded(found.driver).default_port
    failures: list[str] = []
    causes = []
    for address in found.addresses:
        try:
            async with asyncio.timeout(seconds):
                _, writer = await asyncio.open_connection(address, port)
        except TimeoutError:
            failures.append(f"{address}:{port} does not answer within {seconds:g} s")
            causes.append(advice.port_silent(address))
        except ConnectionRefusedError:
            failures.append(f"{address}:{port} refuses the connection")
            causes.append(advice.port_refused(str(found.request.host), port, default))
        except OSError as error:
            failures.append(f"{address}:{port}: {error.strerror or error}")
            causes.append(advice.no_route())
        else:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            return Passed(f"{address}:{port} accepts connections")
    raise StepFailedError("; ".join(failures), *dict.fromkeys(causes))
