"""The program: its commands, and how their failures end: one line on stderr and an exit status."""

import logging
import signal
from types import FrameType
from typing import Any

import click

import aws_iam_async
from aws_iam_async import AwsIamError, drivers
from aws_iam_async.cli.check import check
from aws_iam_async.cli.connection import keywords_as_flags
from aws_iam_async.cli.demo import demo
from aws_iam_async.cli.emulate import emulate
from aws_iam_async.cli.token import token
from aws_iam_async.testing.local import LocalError

NAME = "aws-iam-async"

# The extra that brings a module; every other module comes with the extra testing.
EXTRAS = {"rich": "cli"} | {name: name for name in drivers.BUILT_IN}


class Program(click.Group):
    """A group of commands. A failing command ends with one line on stderr."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except AwsIamError as error:
            message = keywords_as_flags(str(error))
        except LocalError as error:
            message = str(error)
        except ModuleNotFoundError as error:
            module = (error.name or "").partition(".")[0]
            if module in {"", aws_iam_async.__name__}:
                raise
            message = f"no module named {error.name!r}: pip install '{NAME}[{EXTRAS.get(module, 'cli,testing')}]'"
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            raise click.exceptions.Exit(128 + signal.SIGINT) from None
        click.echo(f"{NAME} {ctx.invoked_subcommand}: {message}", err=True)
        raise click.exceptions.Exit(1)


SUMMARY = (aws_iam_async.__doc__ or NAME).splitlines()[0]


@click.group(cls=Program, help=SUMMARY, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(aws_iam_async.__version__, message=f"{NAME} %(version)s")
def program() -> None:
    """The commands, added below; the help text is the first line of the package's own."""


for command in (check, demo, emulate, token):
    program.add_command(command)


def main() -> None:
    """Run the program with the arguments of this process.

    Raises:
        SystemExit: Always: 0 after success, 1 if the command failed, 2 if the arguments are wrong, 130 after Ctrl-C or
            SIGTERM, or after SIGHUP, which the end of a terminal sends.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, _interrupt)
    for library in ("aiobotocore", "botocore"):  # the commands' own errors say what failed
        logging.getLogger(library).addHandler(logging.NullHandler())
    program(prog_name=NAME)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Clean up as after Ctrl-C. While an event loop runs, its own handler does that."""
    handler = signal.getsignal(signal.SIGINT)
    # Raising SIGINT would not do, since shells let background jobs ignore it.
    (handler if callable(handler) else signal.default_int_handler)(number, frame)
