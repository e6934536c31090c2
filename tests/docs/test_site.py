"""The site can be built, and needs no other host to be read."""

import html
import inspect
import re
import subprocess
import sys
from enum import Enum
from pathlib import Path

import pytest

import aws_iam_async
from aws_iam_async import testing
from tests.docs.built_site import page_paths
from tests.docs.pages import ROOT, SITE

# Whatever a browser fetches by itself; a link that a reader may follow is another matter.
FETCHED = re.compile(r"<(?:script|img|iframe|source)\b[^>]*?\bsrc=\"([^\"]+)\"|<link\b[^>]*?\bhref=\"([^\"]+)\"[^>]*>")
NOT_FETCHED = re.compile(r"<link\b[^>]*?\brel=\"(?:canonical|next|prev)\"")


def test_every_page_is_built(site: Path) -> None:
    assert len(page_paths()) == len(SITE)
    for path in page_paths():
        assert (site / path.lstrip("/") / "index.html").is_file()


def test_make_docs_fails_at_a_broken_link_and_names_it(tmp_path: Path) -> None:
    (tmp_path / "mkdocs.yml").write_text("site_name: one page\n")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("[broken](nowhere.md)\n")
    # A file that is there, and that `-o` keeps from being made again, instead of an installation.
    settings = [f"BIN={Path(sys.executable).parent}", f"VENV={tmp_path}", "STAMP=mkdocs.yml", "-o", "mkdocs.yml"]
    command = ["make", "-f", str(ROOT / "Makefile"), *settings, "docs"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "contains a link 'nowhere.md'" in done.stderr


def test_nothing_is_fetched_from_another_host(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert pages
    for page in pages:
        for match in FETCHED.finditer(page.read_text()):
            if not NOT_FETCHED.match(match[0]):
                address = match[1] or match[2]
                assert not re.match(r"(?:[a-z]+:)?//", address), f"{page.relative_to(site)} fetches {address}"


def test_the_reference_shows_what_the_docstrings_say(site: Path) -> None:
    reference = (site / "reference/index.html").read_text()
    assert 'id="aws_iam_async.connect"' in reference
    words = re.sub(r"<[^>]*>", " ", reference).split()
    # Once in a signature at least (with a colon), and once where it is explained.
    assert [name for name in aws_iam_async.Statistics.__annotations__ if name not in words] == []


def text_of(page: Path) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", page.read_text()))


REFERENCES = pytest.mark.parametrize("name", ["reference", "reference-errors", "reference-testing"])


@REFERENCES
def test_the_reference_has_no_roles_and_no_private_names(site: Path, name: str) -> None:
    text = text_of(site / name / "index.html")
    assert re.findall(r":(?:class|func|meth|attr|mod|exc|data):.*", text) == []
    assert re.findall(r"(?<![\w.])_[A-Za-z]\w*", text) == []
    assert re.findall(r"= [A-Z]{2}\w*", text) == [], "a default is a constant's name"


@REFERENCES
def test_the_reference_gives_each_name_a_type_and_each_result_one_entry(site: Path, name: str) -> None:
    page = (site / name / "index.html").read_text()
    names = re.findall(r"field-body\">\s*<b><code>(.*?)</code></b>\s*(\(<code>)?", page, re.DOTALL)
    assert names
    assert [html.unescape(text) for text, is_typed in names if not is_typed] == []
    results = re.findall(r"Returns:(.*?)</ul>", page, re.DOTALL)
    assert [result for result in results if result.count("doc-section-item") != 1] == []


def test_the_reference_has_no_methods_that_only_the_emulator_calls(site: Path) -> None:
    text = text_of(site / "reference-testing/index.html")
    assert "reject_next" in text
    assert re.findall(r"\n.*The emulator calls this", text) == []


def test_the_reference_has_every_member_of_an_enumeration(site: Path) -> None:
    text = text_of(site / "reference-testing/index.html")
    kinds = [kind for name in testing.__all__ if inspect.isclass(kind := getattr(testing, name))]
    members = [member for kind in kinds if issubclass(kind, Enum) for member in kind]
    assert members
    assert [member for member in members if f"{member.name} = '{member.value}'" not in text] == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_links_beside_the_site_lead_somewhere(name: str) -> None:
    links = re.findall(r"\]\(([^)#]+)", (ROOT / name).read_text())
    assert links
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []
