"""Takes a picture of every page on a desktop and on a phone, by day and by night, to be looked at.

python -m tests.docs.pictures FOLDER
"""

import asyncio
import itertools
import sys
import tempfile
from pathlib import Path

from tests.docs.browser import DESKTOP, PHONE, browser
from tests.docs.built_site import build, page_paths, served


async def pictures(address: str, width: int, scheme: str) -> dict[str, bytes]:
    """Return a PNG of each page, by its name."""
    taken = {}
    async with browser() as tab:
        for path in page_paths():
            await tab.open(address + path, width=width, scheme=scheme)
            taken[path.strip("/").replace("/", "-") or "index"] = await tab.picture()
    return taken


def main(folder: Path) -> None:
    """Take them all."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as site:
        build(Path(site))
        with served(Path(site)) as address:
            for width, scheme in itertools.product((DESKTOP, PHONE), ("light", "dark")):
                for name, picture in asyncio.run(pictures(address, width, scheme)).items():
                    (folder / f"{name}-{width}-{scheme}.png").write_bytes(picture)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
