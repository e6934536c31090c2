"""The program: its commands, and what becomes of their failures: a line for the user and an exit status."""

import signal
from types import FrameType
from typing import Any

import click

import aws_iam_async
from aws_iam_async.cli.check import check
from aws_iam_async.cli.command_error import CommandError
from aws_iam_async.cli.connection import spelt_for_the_shell
from aws_iam_async.cli.demo import demo
from aws_iam_async.cli.emulate import emulate
from aws_iam_async.cli.token import token
from aws_iam_async.errors import AwsIamError

__all__ = ["main", "program"]

NAME = "aws-iam-async"
FAILED = 1
INTERRUPTED = 128 + signal.SIGINT

# Which extra brings a module; what is not listed comes with the testing extra.
EXTRAS = {"rich": "cli", "asyncpg": "asyncpg", "aiomysql": "aiomysql"}


class Program(click.Group):
    """A group of commands that ends with one line on stderr when one of them fails."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command.

        Raises:
            click.exceptions.Exit: It failed (status 1), or was interrupted by Ctrl-C or SIGTERM (130).
        """
        try:
            return super().invoke(ctx)
        except AwsIamError as error:
            message, status = f"{NAME} {ctx.invoked_subcommand}: {spelt_for_the_shell(str(error))}", FAILED
        except CommandError as error:
            message, status = f"{NAME} {ctx.invoked_subcommand}: {error}", FAILED
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            if missing in {"", aws_iam_async.__name__}:
                raise
            extra = EXTRAS.get(missing, "cli,testing")
            message = f"{NAME} {ctx.invoked_subcommand}: no module named {error.name!r}: pip install '{NAME}[{extra}]'"
            status = FAILED
        except KeyboardInterrupt:
            message, status = "interrupted", INTERRUPTED
        click.echo(message, err=True)
        raise click.exceptions.Exit(status)


@click.group(cls=Program, help=aws_iam_async.__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(aws_iam_async.__version__, message=f"{NAME} %(version)s")
def program() -> None:
    """Hold the commands."""


for command in (check, demo, emulate, token):
    program.add_command(command)


def main() -> None:
    """Run the program with the arguments that it was called with.

    Raises:
        SystemExit: Always: 0, or 1 if the command could not do its work, 2 if the arguments are wrong, 130 after Ctrl-C
            or SIGTERM.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    program(prog_name=NAME)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Tidy up as after Ctrl-C; while an event loop runs, in the loop's own way."""
    handler = signal.getsignal(signal.SIGINT)
    # Shells let background jobs ignore SIGINT, so raising that signal would not do.
    (handler if callable(handler) else signal.default_int_handler)(number, frame)
