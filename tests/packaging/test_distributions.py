"""The wheel and the source distribution are well-formed, and hold what the checkout holds."""

import sys
import tarfile
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import aws_iam_async
from tests.packaging.conftest import ROOT, Distributions, run

LEFT_BEHIND = {"__pycache__", ".ruff_cache", ".venv"}


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not LEFT_BEHIND.intersection(path.relative_to(folder).parts)
    }


def test_the_index_would_take_them(distributions: Distributions) -> None:
    run(sys.executable, "-m", "twine", "check", "--strict", *distributions)


def test_the_wheel_has_nothing_suspicious_in_it(distributions: Distributions) -> None:
    run(sys.executable, "-m", "check_wheel_contents", distributions.wheel)


def test_the_wheel_is_the_package_of_the_checkout(distributions: Distributions) -> None:
    # What the tests say of the checkout is therefore true of the wheel.
    with zipfile.ZipFile(distributions.wheel) as wheel:
        held = {name: wheel.read(name) for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == files_of(ROOT / "aws_iam_async")


def test_the_source_distribution_brings_tests_docs_and_tools(distributions: Distributions) -> None:
    with tarfile.open(distributions.sdist) as sdist:
        held = {name.partition("/")[2] for name in sdist.getnames()}
    for folder in ("aws_iam_async", "tests", "docs", "examples", "benchmarks", "tools"):
        assert files_of(ROOT / folder).keys() - held == set()
    for file in (
        "CHANGELOG.md",
        "LICENSE",
        "Makefile",
        "README.md",
        "mkdocs.yml",
        "noxfile.py",
        "pyproject.toml",
    ):
        assert file in held


def test_the_metadata_says_what_the_readme_says(distributions: Distributions) -> None:
    with zipfile.ZipFile(distributions.wheel) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = HeaderParser().parsestr(wheel.read(name).decode())
    assert metadata["Name"] == "aws-iam-async"
    assert metadata["Version"] == aws_iam_async.__version__
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata.get_payload() == (ROOT / "README.md").read_text()
