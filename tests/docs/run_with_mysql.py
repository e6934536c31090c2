"""Run the command of docs/cookbook/psql-mysql.md for the client of MySQL.

Debian 12 has no such client, so that `make test` does not collect this file. The environment variable `MYSQL_CLIENT` is
the path of one. Only root can give names to 127.0.0.1 here, in a namespace of the command.
"""

import os
from pathlib import Path

from tests.docs.conftest import MYSQL, World
from tests.docs.recipe import Recipe

OTHER = "other.c9akciq32.us-east-1.rds.amazonaws.com"


async def test_mysql(world: World, tmp_path: Path) -> None:
    port = str(world.emulators[f"{MYSQL}:3306"].port)
    recipe = Recipe("psql-mysql", tmp_path, world.environment(tmp_path) | {"MYSQL_TCP_PORT": port})
    (tmp_path / "mysql").symlink_to(os.environ["MYSQL_CLIENT"])
    recipe.environment["PATH"] = os.pathsep.join([str(tmp_path), recipe.environment["PATH"]])
    assert "MariaDB" not in await recipe.run("mysql --version")
    (tmp_path / "hosts").write_text(f"127.0.0.1 localhost {MYSQL} {OTHER}\n")
    token, command = recipe.command("^export MYSQL_PWD"), recipe.command("^mysql ")

    async def run(command: str) -> str:
        (tmp_path / "command").write_text(f"mount --bind hosts /etc/hosts\n{token}\n{command}\n")
        return await recipe.run("unshare --mount bash -eu command")

    assert await run(command) == recipe.block("text", "CURRENT_USER()")
    assert "certificate verify failed" in await run("! " + command.replace(MYSQL, OTHER))
    assert "plugin not enabled" in await run("! " + command.replace("--enable-cleartext-plugin", ""))
    for option in ("--ssl-mode=REQUIRED", ""):
        unverified = command.replace("--ssl-mode=VERIFY_IDENTITY --ssl-ca=global-bundle.pem", option)
        assert await run(unverified.replace(MYSQL, OTHER)) == recipe.block("text", "CURRENT_USER()")
    tunnel = command.replace("VERIFY_IDENTITY", "VERIFY_CA").replace(f"--host={MYSQL}", "--host=127.0.0.1")
    assert await run(tunnel) == recipe.block("text", "CURRENT_USER()")
