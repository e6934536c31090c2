"""The recipes of the cookbook that consist of files and commands do what their pages say."""

import asyncio
import contextlib
import json
import os
import random
import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from aiobotocore.session import get_session
from moto.server import ThreadedMotoServer
from prometheus_client.openmetrics.parser import text_string_to_metric_families

import aws_iam_async
from tests.docs import node
from tests.docs.conftest import CLUSTER, MYSQL, World
from tests.docs.pages import ROOT, SITE, blocks
from tests.docs.recipe import SECONDS, Recipe, words

pytestmark = pytest.mark.long

TESTED = {"alembic", "emulator", "refused-login", "statistics", "workers"}


@pytest.fixture
def moto_url() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def port() -> int:
    """A free port, below those that the system gives to others."""
    while True:
        number = random.randrange(20_000, 30_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", number)):
            return number


def test_each_recipe_with_files_is_tested_here() -> None:
    assert {page.stem for page in SITE for block in blocks(page) if block.is_of_a_recipe} == TESTED


def without_ids(text: str) -> str:
    return re.sub(r"-> \w+", "-> ID", words(text))


async def test_alembic(world: World, tmp_path: Path) -> None:
    emulator = world.emulators[f"{CLUSTER}:5432"]
    url = emulator.iam_dsn("app", "empty", scheme="postgresql+asyncpg")
    recipe = Recipe("alembic", tmp_path, world.environment(tmp_path) | {"DATABASE_URL": url})
    await recipe.run(recipe.command("alembic init"))
    recipe.write_files()
    await recipe.run(recipe.command("alembic revision"))
    printed = await recipe.run(recipe.command("upgrade head$"))
    assert without_ids(recipe.block("text", "Running upgrade")) in without_ids(printed)
    async with aws_iam_async.connect(emulator.dsn("app", "empty"), **emulator.options) as connection:
        assert await connection.fetchval("SELECT count(*) FROM article") == 0

    for name in [name for name in recipe.environment if name.startswith("AWS_")]:
        del recipe.environment[name]
    logins = len(emulator.logins)
    printed = await recipe.run(recipe.command("--sql"))
    assert words(recipe.block("text", "CREATE TABLE")) in words(printed)
    assert len(emulator.logins) == logins


def any_answer(_answer: httpx.Response) -> bool:
    return True


async def get(url: str, is_expected: Callable[[httpx.Response], bool] = any_answer) -> httpx.Response:
    """Ask until the server listens and answers as expected."""
    async with httpx.AsyncClient() as client, asyncio.timeout(SECONDS):
        while True:
            with contextlib.suppress(httpx.TransportError):
                if is_expected(answer := await client.get(url, headers={"Connection": "close"})):
                    return answer
            await asyncio.sleep(0.05)


async def test_statistics(world: World, tmp_path: Path, port: int) -> None:
    url = world.emulators[f"{CLUSTER}:5432"].iam_dsn("app", "shop")
    variables = {"DATABASE_URL": url, "PORT": str(port), "PYTHONWARNINGS": "error", "PYTHONDEVMODE": "1"}
    recipe = Recipe("statistics", tmp_path, world.environment(tmp_path) | variables)
    recipe.write_files()
    async with recipe.started(recipe.command("python worker.py")):
        statistics = await get(f"http://127.0.0.1:{port}/statistics", lambda answer: answer.json()["connects"] == 2)
        metrics = await get(f"http://127.0.0.1:{port}/metrics")
    counts = statistics.json()
    assert counts.keys() == json.loads(recipe.block("json", "connects")).keys()
    assert metrics.text.startswith(recipe.block("text", "# TYPE"))
    parsed = text_string_to_metric_families(metrics.text)  # type: ignore[no-untyped-call]  # it has no types
    families = {family.name: family for family in parsed}
    (expiry,) = families["aws_iam_async_next_token_expiry"].samples
    assert expiry.value == counts["next_token_expiry"]
    # A credential of the environment never expires.
    assert len(families) == len(counts) - 1


@pytest.mark.parametrize("program", ["gunicorn", "uvicorn"])
async def test_workers(world: World, tmp_path: Path, port: int, program: str) -> None:
    emulator = world.emulators[f"{CLUSTER}:5432"]
    emulator.reset()
    variables = {"DATABASE_URL": emulator.iam_dsn("app", "shop"), "PYTHONWARNINGS": "error", "PYTHONDEVMODE": "1"}
    recipe = Recipe("workers", tmp_path, world.environment(tmp_path) | variables)
    recipe.write_files()
    command = recipe.command(f"^{program} ").replace("8000", str(port))
    workers = set()

    def are_both_known(answer: httpx.Response) -> bool:
        workers.add(answer.json()["worker"])
        return len(workers) == 2

    async with recipe.started(f"exec {command}") as process:
        answer = await get(f"http://127.0.0.1:{port}/me", are_both_known)
        process.terminate()
        async with asyncio.timeout(SECONDS):
            assert await process.wait() == 0
    assert answer.json().items() >= {"user": "app"}.items()
    assert answer.json().keys() == json.loads(recipe.block("json", "worker")).keys()
    assert [login.accepted for login in emulator.logins] == [True] * 4


async def test_psql_and_mariadb(world: World, tmp_path: Path) -> None:
    recipe = Recipe("psql-mysql", tmp_path, world.environment(tmp_path))
    postgres, mariadb = (str(world.emulators[address].port) for address in (f"{CLUSTER}:5432", f"{MYSQL}:3306"))
    recipe.environment |= {"PGHOSTADDR": "127.0.0.1", "MYSQL_TCP_PORT": mariadb}
    command = recipe.block("shell", "export PGPASSWORD").replace(" user=app", f" port={postgres} user=app")
    printed = await recipe.run(command)
    assert words(printed) == words(recipe.block("text", "-----"))
    # The name of the host leads nowhere here, and the client verifies what it dials.
    command = recipe.block("shell", "export MYSQL_PWD").replace(f"--host={MYSQL}", "--host=127.0.0.1")
    printed = await recipe.run(command.replace("--ssl-verify-server-cert", ""))
    assert printed == recipe.block("text", "CURRENT_USER()")

    del recipe.environment["PGHOSTADDR"]
    tunnel = recipe.command("hostaddr=127.0.0.1").replace("15432", postgres) + " --command 'SELECT current_user'"
    printed = await recipe.run("\n".join([recipe.command("export PGPASSWORD"), tunnel]))
    assert words(printed) == words(recipe.block("text", "-----"))


@pytest.fixture(scope="module")
def node_modules() -> Path:
    return node.node_modules()


async def test_emulator(tmp_path: Path, port: int, node_modules: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PG"))}
    home = {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}
    recipe = Recipe("emulator", tmp_path, kept | home | {"NODE_OPTIONS": node.OPTIONS})
    recipe.write_files()
    await recipe.run(f"sed -i s/15432/{port}/ client.mjs wrapper.mjs")
    (tmp_path / "node_modules").symlink_to(node_modules)
    recipe.environment["PATH"] = os.pathsep.join([str(node.PROGRAMS), recipe.environment["PATH"]])
    async with recipe.started("exec " + recipe.command("emulate").replace("15432", str(port))) as process:
        async with asyncio.timeout(SECONDS):
            assert process.stdout is not None
            await process.stdout.readline()  # the file is there
        variables = recipe.block("shell", "emulator.env;")
        printed = await recipe.run(variables + recipe.block("shell", "psql").replace("15432", str(port)))
        assert words(printed) == words(recipe.block("text", "-----"))
        programs = re.findall(r"^`(node \S+)` prints `(\w+)`", recipe.page.read_text(), re.MULTILINE)
        assert [command for command, _ in programs] == ["node client.mjs", "node wrapper.mjs"]
        for command, shown in programs:
            assert await recipe.run(variables + command) == f"{shown}\n"
            # With another key, the token is refused.
            printed = await recipe.run(f"{variables}! AWS_SECRET_ACCESS_KEY=other {command}")
            assert 'PAM authentication failed for user "app"' in printed


async def test_javascript_connects_to_this_machine_only(tmp_path: Path) -> None:
    recipe = Recipe("emulator", tmp_path, os.environ | {"NODE_OPTIONS": node.OPTIONS})
    for call in (
        "require('net').connect(9, '127.0.0.2')",
        "fetch('http://127.0.0.2:8080')",
        "require('dns').lookup('a')",
    ):
        assert "is not 127.0.0.1" in await recipe.run(f'! {node.PROGRAMS}/node -e "{call}"')


def test_page_of_emulator_names_the_packages_that_are_tested() -> None:
    page = (ROOT / "docs" / "cookbook" / "emulator.md").read_text()
    installed = {name for names in re.findall("`npm install ([^`]+)`", page) for name in names.split()}
    assert installed == node.PACKAGES.keys()
    shown = re.findall(r"(?<![\d.])\d+\.\d+\.\d+(?!\.?\d)", page)
    assert sorted(shown) == sorted(node.PACKAGES.values())


async def test_refused_login(world: World, tmp_path: Path, moto_url: str) -> None:
    emulator = world.emulators[f"{CLUSTER}:5432"]
    emulator.faults.reject_next(2)
    variables = {"DATABASE_URL": emulator.iam_dsn("app", "shop"), "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": moto_url}
    recipe = Recipe("refused-login", tmp_path, world.environment(tmp_path) | variables)
    recipe.write_files()
    shown = recipe.block("text", "NotAuthorized")
    place = {"logGroupName": "/aws/rds/cluster/shop/iam-db-auth-error", "logStreamName": "shop-1"}
    other = "[ERROR] Failed to authenticate the connection request for user 'other'"
    messages = [other, shown.splitlines()[1]]
    events = [{"timestamp": int(time.time() * 1000) + 10_000, "message": message} for message in messages]
    async with get_session().create_client(
        "logs", region_name="us-east-1", endpoint_url=moto_url, aws_access_key_id="a", aws_secret_access_key="b"
    ) as logs:
        await logs.create_log_group(logGroupName=place["logGroupName"])
        await logs.create_log_stream(**place)
        await logs.put_log_events(**place, logEvents=events)
    assert await recipe.run(recipe.command("python login.py")) == shown
