"""Each link on the built pages leads to a page, and its anchor to a place on it."""

import html.parser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest

HOST = "http://site"


class Page(html.parser.HTMLParser):
    """What a page links to, and what on it can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors = {""}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - called by name
        for name, value in attrs:
            if name in {"href", "src"} and value:
                self.links.append(value)
            elif name in {"id", "name"} and value:
                self.anchors.add(value)


def dead_links(site: Path) -> list[str]:
    pages = {path: Page(path.read_text()) for path in site.rglob("*.html")}
    assert pages
    dead = []
    for path, page in pages.items():
        # Pages end with index.html, but for 404.html, which is shown instead of any.
        here = f"{HOST}/{path.relative_to(site).as_posix().removesuffix('index.html')}"
        for link in page.links:
            address = urlsplit(urljoin(here, link))
            if f"{address.scheme}://{address.netloc}" != HOST:
                continue
            target = site / unquote(address.path).lstrip("/")
            target = target / "index.html" if address.path.endswith("/") else target
            known = pages[target].anchors if target in pages else {"", unquote(address.fragment)}
            if not target.is_file() or unquote(address.fragment) not in known:
                dead.append(f"{path.relative_to(site)}: {link}")
    return dead


def test_each_link_leads_somewhere(site: Path) -> None:
    assert dead_links(site) == []


@pytest.mark.parametrize("link", ["missing/", "other/#nowhere", "#nowhere", "missing.png", "/other/index.htm"])
def test_a_dead_link_is_found(tmp_path: Path, link: str) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other/index.html").write_text('<h1 id="here"></h1>')
    (tmp_path / "index.html").write_text(f'<a href="other/#here"></a><a href="{link}"></a><a href="{HOST}s/"></a>')
    assert dead_links(tmp_path) == [f"index.html: {link}"]
