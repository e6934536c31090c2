"""The site that the docs become."""

import contextlib
import functools
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.docs.pages import ROOT, SITE

SECONDS = 120


def build(folder: Path) -> None:
    """Build the site strictly.

    Raises:
        RuntimeError: It cannot be built, or not without warnings.
    """
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)


def page_paths() -> list[str]:
    """Return the path of each page on the site."""
    names = [page.relative_to(ROOT / "docs").with_suffix("").as_posix() for page in SITE]
    return ["/" if name == "index" else f"/{name}/" for name in names]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the standard library
        pass


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a site on a free port of this machine, and give its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
