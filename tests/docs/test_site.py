"""The site can be built, and needs no other host to be read."""

import re
from pathlib import Path

import pytest

import aws_iam_async
from tests.docs.built_site import page_paths
from tests.docs.pages import ROOT, SITE

# Whatever a browser fetches by itself; a link that a reader may follow is another matter.
FETCHED = re.compile(r"<(?:script|img|iframe|source)\b[^>]*?\bsrc=\"([^\"]+)\"|<link\b[^>]*?\bhref=\"([^\"]+)\"[^>]*>")
NOT_FETCHED = re.compile(r"<link\b[^>]*?\brel=\"(?:canonical|next|prev)\"")


def test_every_page_is_built(site: Path) -> None:
    assert len(page_paths()) == len(SITE)
    for path in page_paths():
        assert (site / path.lstrip("/") / "index.html").is_file()


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


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_links_beside_the_site_lead_somewhere(name: str) -> None:
    links = re.findall(r"\]\(([^)#]+)", (ROOT / name).read_text())
    assert links
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []
