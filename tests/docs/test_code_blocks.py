"""Every code block of the README and the docs works as it is written."""

import asyncio
import itertools
import json
import os
import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest

from aws_iam_async.cli.main import program
from tests.docs.conftest import World
from tests.docs.pages import PAGES, ROOT, Block, blocks, blocks_in, write_file

pytestmark = pytest.mark.long

SECONDS = 60
PROGRAM = Path(__file__).with_name("block_program.py")
# Programs that a reader has from elsewhere.
FOREIGN = {"aws", "curl", "export", "git", "mariadb", "mysql", "nox", "psql", "set", "ssh"}
FOREIGN |= {"alembic", "gunicorn", "uvicorn"}


def the(language: str) -> pytest.MarkDecorator:
    found = [block for block in blocks_in(language) if not block.is_of_a_recipe]
    assert found
    return pytest.mark.parametrize("block", found, ids=map(str, found))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_language_of_each_block_is_one_that_is_tested_here(page: Path) -> None:
    # "text" is for what programs print, "sql" for what a server of RDS alone understands, and "javascript" for programs
    # of recipes.
    known = {"python", "shell", "toml", "json", "sql", "text", "javascript"}
    assert [str(block) for block in blocks(page) if block.language not in known] == []


def install(page: Path, folder: Path) -> None:
    """Install the module that a page shows, if it shows one, with the entry points in its TOML.

    The first line of such a block is a comment with the name of the file.
    """
    for block in blocks(page):
        if block.file is not None:
            write_file(block, folder)
        elif block.language == "toml":
            info = folder / "shown_on_a_page-1.0.dist-info"
            info.mkdir(exist_ok=True)
            (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shown-on-a-page\nVersion: 1.0\n")
            for group, names in tomllib.loads(block.text).get("project", {}).get("entry-points", {}).items():
                lines = [f"[{group}]", *(f"{key} = {value}" for key, value in names.items())]
                (info / "entry_points.txt").write_text("\n".join(lines))


def shown_output(block: Block) -> str | None:
    """What a page of the cookbook says that a program prints: the block of text that follows it."""
    pairs = itertools.pairwise(blocks(ROOT / block.page)) if block.page.startswith("docs/cookbook/") else ()
    return next((other.text for one, other in pairs if one == block and other.language == "text"), None)


@the("python")
async def test_python_runs(block: Block, world: World, tmp_path: Path, initdb: Path) -> None:
    install(ROOT / block.page, tmp_path)
    environment = world.environment(tmp_path)
    environment["PYTHONUNBUFFERED"] = "1"
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(tmp_path), str(ROOT), environment.get("PYTHONPATH")]))
    if re.search(r"^(async )?def test_", block.text, re.MULTILINE):
        (tmp_path / "test_block.py").write_text(block.text)
        (tmp_path / "conftest.py").write_text(f"from tests.initdb import copy_data\ncopy_data({str(initdb)!r})\n")
        # asyncpg 0.32 leaves the socket of a refused login to the loop, and a test's loop may end before it is closed.
        warnings = ["-W", "error", "-W", "ignore::pytest.PytestUnraisableExceptionWarning"]
        options = ["-q", "-p", "no:cacheprovider", *warnings]
        options += ["-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"]
        arguments = ["-m", "pytest", *options, "test_block.py"]
    else:
        arguments = ["-W", "error", str(PROGRAM)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-X", "dev", *arguments, cwd=tmp_path, env=environment,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(SECONDS):
            output, _ = await process.communicate(block.text.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, f"{block} fails:\n{output.decode()}"
    shown = shown_output(block)
    assert shown is None or shown in output.decode(), f"{block} prints:\n{output.decode()}"
    # Warnings at the very end of a program are shown, but never become errors.
    assert "Warning" not in output.decode(), f"{block} warns:\n{output.decode()}"


def check_packages(package: str, others: list[str]) -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found = re.fullmatch(r"aws-iam-async(?:\[([a-z,]+)\])?", package)
    assert found is not None, package
    assert set((found[1] or "asyncpg").split(",")) <= set(settings["project"]["optional-dependencies"])
    tested = {re.split(r"[^\w-]", requirement)[0] for requirement in settings["dependency-groups"]["dev"]}
    assert set(others) <= tested


@the("shell")
def test_shell_commands_exist(block: Block) -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    shown = {other.file for other in blocks(ROOT / block.page)}
    text = block.text.replace("\\\n", " ")
    for line in [*text.splitlines(), *re.findall(r"\$\((.*?)\)", text)]:
        words = shlex.split(line, comments=True)
        assert words, f"{block}: an empty line"
        match words:
            case ["make", target, *_]:
                assert target in targets
            case ["pip", "install", package, *others]:
                check_packages(package, others)
            case ["aws-iam-async", command, *_] | ["python", "-m", "aws_iam_async", command, *_]:
                assert command in program.commands
            case ["python", "-m", "asyncio" | "pytest"]:
                pass
            case ["python", "-m", module, *_] if module.startswith(("benchmarks.", "tests.")):
                assert (ROOT / module.replace(".", "/")).with_suffix(".py").is_file()
            case ["python", "-m", "pytest", folder]:
                assert (ROOT / folder).is_dir()
            case ["python", file, *_]:
                assert file in shown or (ROOT / file).is_file()
            case [other, *_]:
                assert other in FOREIGN, f"{block}: unknown command {other}"


@the("toml")
def test_toml_can_be_read(block: Block) -> None:
    assert tomllib.loads(block.text)


@the("json")
def test_json_can_be_read(block: Block) -> None:
    assert json.loads(block.text)
