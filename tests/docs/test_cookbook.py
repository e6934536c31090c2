"""The recipes of the cookbook that consist of files and commands do what their pages say."""

import re
from pathlib import Path

import pytest

import aws_iam_async
from tests.docs.conftest import CLUSTER, World
from tests.docs.pages import SITE, blocks
from tests.docs.recipe import Recipe, words

pytestmark = pytest.mark.long

TESTED = {"alembic"}


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
