"""``emulate``: run local databases that log in with IAM."""

import contextlib
import signal
from pathlib import Path

import click

from aws_iam_async.testing import local

SERVERS = {"postgresql": ("postgresql",), "mysql": ("mysql",), "both": ("postgresql", "mysql")}
COMMAND = f"{__name__}.command"
PORT = click.IntRange(1, 65535)


class WithCommand(click.Command):
    """Takes what follows ``--`` as a command to run."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own, command = (args[: args.index("--")], args[args.index("--") + 1 :]) if "--" in args else (args, [])
        if own != args and not command:
            raise click.UsageError("a command is missing after --", ctx)
        ctx.meta[COMMAND] = command
        return super().parse_args(ctx, own)


@click.command(cls=WithCommand, short_help="Run local databases that log in with IAM as RDS does.")
@click.argument("server", type=click.Choice(list(SERVERS)), default="postgresql", metavar="[SERVER] [-- COMMAND ...]")
@click.option("--port", "ports", type=PORT, multiple=True, help="Port to listen on; default: a free port.")
@click.option("--signed-port", "signed_ports", type=PORT, multiple=True, help="Port to sign for; default: the same.")
@click.option("--env-file", type=click.Path(path_type=Path, dir_okay=False), help="File to write the variables to.")
@click.pass_context
def emulate(
    ctx: click.Context, server: str, ports: tuple[int, ...], signed_ports: tuple[int, ...], env_file: Path | None
) -> None:
    """Run local databases that log in with IAM as RDS does, until Ctrl-C or while a COMMAND runs.

    SERVER is postgresql (default), mysql (MariaDB, from the system's package mariadb-server-core), or both, for which
    --port and --signed-port may be given twice. The COMMAND runs with the variables that clients need, and its exit
    status is passed on. Without a COMMAND or a file, prints shell lines to source.
    """
    protocols, command = SERVERS[server], ctx.meta[COMMAND]
    if max(len(ports), len(signed_ports)) > len(protocols):
        raise click.UsageError(f"more ports than servers: {server} takes {len(protocols)}")
    with contextlib.ExitStack() as stack:
        if not command:
            stack.enter_context(contextlib.suppress(KeyboardInterrupt))
        emulators = stack.enter_context(local.local_endpoints(protocols, ports=ports, signed_ports=signed_ports))
        variables = local.variables_for(emulators)
        if env_file is not None:
            stack.enter_context(local.env_file(env_file, variables))
        if command:
            raise click.exceptions.Exit(local.run(command, variables))
        if env_file is not None:
            click.echo(f"# The variables are in {env_file}. Ctrl-C stops the servers and removes them.")
        else:
            click.echo("# Source these lines in another shell. Ctrl-C here stops the servers and removes them.")
            click.echo("\n".join(local.shell_lines(variables)))
        while True:
            signal.pause()
