"""Run a driver's own tests, from its source distribution, in a process of their own."""

import os
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

PLUGINS = Path(__file__).parent
FETCH_TIMEOUT = 120.0
RUN_TIMEOUT = 300.0


@dataclass(frozen=True)
class Suite:
    """Which of a driver's tests are run.

    Attributes:
        driver: Its name in the registry.
        files: Test files, below the folder ``tests`` of the source distribution.
        plugin: The pytest plugin that puts this package under the tests.
        left_out: The tests that are not run, each with the reason.
    """

    driver: str
    files: Sequence[str]
    plugin: str
    left_out: Mapping[str, str]


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        counts: How many tests ``passed``, ``failed`` and were ``skipped``.
        skipped: Why tests were skipped by the suite itself.
        output: What pytest printed.
    """

    counts: Counter[str]
    skipped: Counter[str]
    output: str


def fetch(driver: str, folder: Path) -> Path:
    """Get the source distribution of the installed version, unpack its tests, and return the folder that holds them.

    Raises:
        RuntimeError: pip cannot get it; the end of what pip says is in the message.
    """
    wanted = f"{driver}=={version(driver)}"
    options = ["--quiet", "--no-deps", f"--no-binary={driver}", f"--dest={folder}"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", *options, wanted],
        capture_output=True,
        text=True,
        timeout=FETCH_TIMEOUT,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"pip cannot download the source of {wanted}:\n{done.stderr[-2000:]}")
    (archive,) = folder.glob("*.tar.gz")
    top = archive.name.removesuffix(".tar.gz")
    with tarfile.open(archive) as source:
        # Not the driver itself, which would be imported instead of the installed one.
        tests = [member for member in source.getmembers() if member.name.startswith(f"{top}/tests/")]
        # Python before 3.11.4, such as Debian 12's, knows no filters.
        source.extraction_filter = getattr(tarfile, "data_filter", None)
        source.extractall(folder, tests)
    return folder / top


def unknown(suite: Suite, folder: Path) -> list[str]:
    """Which of the tests to be left out do not exist (any more)."""

    def exists(name: str) -> bool:
        path, *parts = name.split("::")
        text = (folder / "tests" / path).read_text()
        return all(f"class {part}(" in text or f"def {part}(" in text for part in parts)

    return [name for name in suite.left_out if not exists(name)]


def run(suite: Suite, folder: Path, *, environment: Mapping[str, str]) -> Outcome:
    """Run the suite's tests; what fails is tried once more, alone: they measure time, and the machine may be busy.

    Args:
        suite: Which.
        folder: What :func:`fetch` returned.
        environment: Variables for the suite's plugin.
    """
    (folder / "pytest.ini").write_text("[pytest]\n")
    first = _run(suite, folder, environment)
    if not first.counts["failed"]:
        return first
    again = _run(suite, folder, environment, "--last-failed")
    counts = Counter(first.counts)
    counts["passed"] += again.counts["passed"]
    counts["failed"] = again.counts["failed"]
    return Outcome(counts, first.skipped, first.output + again.output)


def _run(suite: Suite, folder: Path, environment: Mapping[str, str], *arguments: str) -> Outcome:
    report = folder / "report.xml"
    report.unlink(missing_ok=True)
    plugins = ["-p", "no:aws_iam_async", "-p", "no:asyncio", "-p", suite.plugin]
    left_out = [f"--deselect=tests/{name}" for name in suite.left_out]
    files = [f"tests/{name}" for name in suite.files]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *plugins, *left_out, *arguments, *files],
        cwd=folder,
        env={**os.environ, **environment, "PYTHONPATH": str(PLUGINS)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=RUN_TIMEOUT,
        check=False,
    )
    if not report.exists():
        raise RuntimeError(f"pytest did not come to its end:\n{done.stdout}")
    counts: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    for case in ET.parse(report).iter("testcase"):
        if (skip := case.find("skipped")) is not None:
            counts["skipped"] += 1
            skipped[skip.get("message", "")] += 1
        elif case.find("failure") is None and case.find("error") is None:
            counts["passed"] += 1
        else:
            counts["failed"] += 1
    return Outcome(counts, skipped, done.stdout)
