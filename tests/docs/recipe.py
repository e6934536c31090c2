"""A recipe of the cookbook: its page's files in a folder, and its commands in a shell there."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from tests.docs.pages import ROOT, blocks, write_file

SECONDS = 60


class Recipe:
    """What a reader has made of a page.

    Args:
        name: The page's name in the cookbook.
        folder: Where its files and what its commands make belong.
        environment: The variables that its commands get.
    """

    def __init__(self, name: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.page = ROOT / "docs" / "cookbook" / f"{name}.md"
        self.folder = folder
        programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        self.environment = {**environment, "PATH": programs}
        self._blocks = list(blocks(self.page))

    def write_files(self) -> None:
        """Write each file that the page shows."""
        for block in self._blocks:
            if block.file is not None:
                write_file(block, self.folder)

    def block(self, language: str, containing: str) -> str:
        """Return the one block of the page in this language with these words."""
        (text,) = [block.text for block in self._blocks if block.language == language and containing in block.text]
        return text

    def command(self, pattern: str) -> str:
        """Return the one command of the page that matches, on one line."""
        commands = "\n".join(block.text for block in self._blocks if block.language == "shell").replace("\\\n", " ")
        (command,) = [line for line in commands.splitlines() if re.search(pattern, line)]
        return command

    async def run(self, command: str) -> str:
        """Run a command to its end, and return what it prints."""
        async with self.started(command) as process, asyncio.timeout(SECONDS):
            printed, _ = await process.communicate()
        assert process.returncode == 0, f"{command} fails:\n{printed.decode()}"
        return printed.decode()

    @asynccontextmanager
    async def started(self, command: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """Start a command in a process group of its own, and interrupt the group at the end if it still runs."""
        process = await asyncio.create_subprocess_exec(
            "bash", "-euc", command, cwd=self.folder, env=self.environment, start_new_session=True,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        try:
            yield process
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGTERM)
            await process.wait()


def words(text: str) -> str:
    """Return the words with single spaces between them, to be compared."""
    return re.sub(r"\s+", " ", text).strip()
