"""Lets somebody see tokens being generated and rejected: telemetry."""

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from aws_iam_async.tokens.key import TokenKey

_NOTHING = contextlib.nullcontext()


def _no_generation(_key: TokenKey) -> AbstractContextManager[object]:
    return _NOTHING


def _no_rejection(_key: TokenKey) -> None:
    pass


@dataclass(slots=True)
class Watch:
    """What to do, besides, with the tokens of one service; at first nothing.

    Attributes:
        generation: Returns what is entered around each generation, in the task that it runs in.
        rejection: Is told, in the task of the login, of each token that a server rejected.
    """

    generation: Callable[[TokenKey], AbstractContextManager[object]] = _no_generation
    rejection: Callable[[TokenKey], None] = _no_rejection
