"""Every page of the site in a real browser, as wide as a desktop's and as narrow as a phone's."""

from pathlib import Path

from tests.docs.browser import DESKTOP, PHONE, browser
from tests.docs.built_site import page_paths, served


async def test_a_reader_sees_each_page_whole(site: Path) -> None:
    faults = []
    with served(site) as address:
        async with browser() as tab:
            for path in page_paths():
                desktop = await tab.open(address + path, width=DESKTOP)
                assert desktop.title, f"{path} has no heading"
                phone = await tab.look(PHONE)
                faults += [f"{path} at {DESKTOP}: {fault}" for fault in desktop.faults]
                faults += [f"{path} at {PHONE}: {fault}" for fault in phone.faults]
    assert faults == []


FAULTY = """<!doctype html><link rel="icon" href="data:,"><article><h1>Title</h1><h2 hidden>Unseen</h2>
<h2 style="width: 0">Link <a class="headerlink">#</a></h2><p style="width: 2000px">wide</p>
<p style="width: 0"><span class="word">--broken</span></p><table><td style="width: 1px">in lines of one word</table>
<svg><text x="9" y="30">under</text><text x="20" y="30">over</text><text x="290" y="90">past the edge</text></svg>
<img src="missing.png" width="9" height="9"><img src="http://127.0.0.1:9/elsewhere">
<script>console.error("told"); undefined_name()</script></article>"""


async def test_it_would_see_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(FAULTY)
    with served(tmp_path) as address:
        async with browser() as tab:
            title, faults = await tab.open(address + "/", width=PHONE)
    assert title == "Title"
    for part in ("exception:", "console:", "log:", "request failed:", "asks http://127.0.0.1:9/elsewhere",
                 "pixels wider", "sticks out: <p", "heading not shown", "image not shown", "column too narrow: in",
                 "word on two lines: --broken", "a line for the link of a heading: Link",
                 "drawing: under", "drawing: over", "drawing: past the edge"):  # fmt: skip
        assert any(part in fault for fault in faults), f"{part} is not among {faults}"
