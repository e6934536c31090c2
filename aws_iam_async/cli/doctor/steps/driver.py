"""The driver: which one the DSN asks for, and whether it is installed."""

import sys

from aws_iam_async import drivers
from aws_iam_async.cli.doctor.advice.setup import install_driver
from aws_iam_async.cli.doctor.findings import Findings
from aws_iam_async.cli.doctor.outcome import Passed, StepFailedError
from aws_iam_async.errors import DriverNotFoundError

__all__ = ["run"]


async def run(found: Findings) -> Passed:
    """Import it."""
    target = found.target
    found.driver = drivers.driver_name(target.dsn, target.options.get("driver"))
    try:
        await drivers.load(found.driver)
    except DriverNotFoundError as error:
        raise StepFailedError(str(error), install_driver(found.driver)) from error
    return Passed(f"{found.driver} {sys.modules[found.driver].__version__}")
