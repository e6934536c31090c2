"""What a command is."""

import argparse
from typing import Protocol

__all__ = ["Command", "CommandError"]


class Command(Protocol):
    """A module of this folder that stands in the table of commands.

    Its imports at the top are cheap, since every call of the program makes them; what it needs for its work it imports
    in ``run``.
    """

    __name__: str

    HELP: str
    """What it does, in one sentence."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Say which arguments it takes."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it and return the program's exit status.

        Raises:
            CommandError: It cannot be done.
            AwsIamError: The library says why it cannot be done.
            ModuleNotFoundError: A package is missing.
        """


class CommandError(Exception):
    """Something does not work; the message is for the user, who sees no traceback."""
