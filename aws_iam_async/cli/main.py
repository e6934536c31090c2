"""The program: find the command, run it, and turn what goes wrong into a message and an exit status."""

import argparse
import signal
import sys
from collections.abc import Mapping, Sequence
from types import FrameType

import aws_iam_async
from aws_iam_async.cli import demo, emulate, token
from aws_iam_async.cli.command import Command, CommandError
from aws_iam_async.errors import AwsIamError

__all__ = ["main"]

COMMANDS: Mapping[str, Command] = {"demo": demo, "emulate": emulate, "token": token}

FAILED = 1
INTERRUPTED = 128 + signal.SIGINT


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program.

    Args:
        arguments: What stands behind the program's name; default: what it was called with.

    Returns:
        The exit status: 0, or 1 if the command could not do its work, or 130 after Ctrl-C or SIGTERM.

    Raises:
        SystemExit: The arguments are wrong (status 2), or only help or the version was wanted.
    """
    parsed = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return COMMANDS[parsed.command].run(parsed)
    except (AwsIamError, CommandError) as error:
        return _fail(parsed.command, str(error))
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == aws_iam_async.__name__:
            raise
        return _fail(parsed.command, f"no module named {error.name!r}: pip install 'aws-iam-async[cli]'")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="aws-iam-async", description=aws_iam_async.__doc__)
    parser.add_argument("--version", action="version", version=f"aws-iam-async {aws_iam_async.__version__}")
    commands = parser.add_subparsers(title="commands", dest="command", metavar="command", required=True)
    for name, command in COMMANDS.items():
        subparser = commands.add_parser(name, help=command.HELP, description=command.HELP)
        command.add_arguments(subparser)
    return parser


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Tidy up as after Ctrl-C; while an event loop runs, in the loop's own way."""
    handler = signal.getsignal(signal.SIGINT)
    # Shells let background jobs ignore SIGINT, so raising that signal would not do.
    (handler if callable(handler) else signal.default_int_handler)(number, frame)


def _fail(command: str, message: str) -> int:
    print(f"aws-iam-async {command}: {message}", file=sys.stderr)
    return FAILED
