"""Keep secrets out of the log while the SDK looks for credentials.

botocore 1.43 writes the answers of STS and SSO, secret keys included, to its DEBUG log, and the text of malformed
answers to the tracebacks of its warnings. Whoever turns on DEBUG logging for the whole process wants neither in a file.
"""

import contextlib
import logging
from collections.abc import Iterator
from contextvars import ContextVar

_LIBRARIES = ("aiobotocore", "aiohttp", "asyncio", "botocore", "urllib3")

_looking = ContextVar("aws_iam_async_looking_for_credentials", default=False)


def _harmless(record: logging.LogRecord) -> bool:
    if not _looking.get():
        return True
    record.exc_info = record.exc_text = record.stack_info = None
    return record.levelno >= logging.INFO


def install() -> None:
    """Put the filter on every logger of the SDK that exists by now; again is harmless."""
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and name.partition(".")[0] in _LIBRARIES:
            logger.addFilter(_harmless)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Drop the SDK's DEBUG records and its tracebacks in this context and the tasks started from it, nowhere else."""
    token = _looking.set(True)
    try:
        install()
        yield
    finally:
        _looking.reset(token)
