"""Lets somebody see tokens being generated and rejected: telemetry."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from aws_iam_async.tokens.key import TokenKey


class Watch:
    """What to do, besides, with the tokens of one service; at first nothing.

    Attributes:
        generation: Returns what is entered around each generation, in the task that it runs in.
        rejection: Is told, in the task of the login, of each token that a server rejected.
    """

    generation: Callable[[TokenKey], AbstractContextManager[object]] | None = None
    rejection: Callable[[TokenKey], None] | None = None
