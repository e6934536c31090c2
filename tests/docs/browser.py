"""A headless browser: Debian's Chromium, controlled through the Chrome DevTools Protocol.

The protocol is JSON over a WebSocket, https://chromedevtools.github.io/devtools-protocol/; aiohttp, which aiobotocore
brings, speaks it.
"""

import asyncio
import base64
import contextlib
import itertools
import os
import re
import signal
import tempfile
from collections.abc import AsyncIterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import aiohttp

PROGRAM = "chromium-headless-shell"
SECONDS = 110
# Root needs --no-sandbox. The pages are this project's own, and /dev/shm is small in containers.
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-port=0"]
DESKTOP, PHONE = 1280, 390

LOOK = """(() => {
  const box = (element) => element.getBoundingClientRect();
  const shown = (element) => element.getClientRects().length > 0;
  const isClipped = (element) => {
    for (let outer = element.parentElement; outer; outer = outer.parentElement)
      if (getComputedStyle(outer).overflowX !== "visible") return true;
    return false;
  };
  const sticksOut = (element) => box(element).right > innerWidth + 1 && !isClipped(element);
  const wide = [...document.querySelectorAll("article *")].filter(sticksOut);
  const lines = (element) => {
    const range = new Range();
    range.selectNodeContents(element);
    return new Set([...range.getClientRects()].map((line) => Math.round(line.bottom / 8))).size;
  };
  const isNarrow = (cell) => lines(cell) > 3 && cell.innerText.length < 9 * lines(cell);
  const isAlone = (link) => shown(link) && box(link).left < box(link.parentElement).left + 20;
  const meet = (a, b) => a.left < b.right && b.left < a.right && a.top + 2 < b.bottom && b.top + 2 < a.bottom;
  const isCut = (text) => {
    const drawing = box(text.ownerSVGElement);
    return box(text).right > drawing.right + 1 || box(text).left < drawing.left - 1;
  };
  const labels = [...document.querySelectorAll("article svg text")];
  const isCovered = (a) => labels.some((b) => a !== b && meet(box(a), box(b)));
  const texts = (selector, test) => [...document.querySelectorAll(selector)].filter(test).map((e) => e.innerText);
  return {
    excess: document.documentElement.scrollWidth - innerWidth,
    wide: wide.map((element) => element.outerHTML.slice(0, 120)),
    hidden: texts("article h1, article h2", (heading) => !shown(heading)),
    narrow: texts("article td, article th", isNarrow),
    broken: texts("article .word:not(.long)", (word) => word.getClientRects().length > 1),
    alone: texts("article :has(> .headerlink)", (heading) => isAlone(heading.lastElementChild)),
    labels: labels.filter((text) => isCut(text) || isCovered(text)).map((text) => text.textContent),
    title: document.querySelector("article h1")?.innerText ?? "",
    images: [...document.images].filter((image) => shown(image) && !image.naturalWidth).map((image) => image.src),
  };
})()"""


class Look(NamedTuple):
    """What a page looks like.

    Attributes:
        title: Its first heading.
        faults: What a reader would stumble over.
    """

    title: str
    faults: list[str]


class Browser:
    """A tab of the browser.

    Args:
        socket: The connection to it.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._events: list[dict[str, Any]] = []

    async def command(self, method: str, **parameters: Any) -> Any:
        """Let the browser do something, and return its answer.

        Raises:
            RuntimeError: It refuses.
        """
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        while (message := await self._socket.receive_json()).get("id") != number:
            self._events.append(message)
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']}")
        return message["result"]

    async def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression in the page; a promise is awaited.

        Raises:
            RuntimeError: It throws.
        """
        answer = await self.command("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"])
        return answer["result"].get("value")

    async def open(self, address: str, *, width: int, scheme: str = "light") -> Look:
        """Open a page, wait until all of it has come, and look at it.

        Args:
            address: Its URL.
            width: The window's width in pixels.
            scheme: ``light`` or ``dark``, as the reader's system prefers.
        """
        for domain in ("Page", "Runtime", "Network", "Log"):
            await self.command(f"{domain}.enable")
        await self._resize(width)
        await self.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self._events.clear()
        await self.command("Page.navigate", url=address)
        while not any(event["method"] == "Page.loadEventFired" for event in self._events):
            self._events.append(await self._socket.receive_json())
        title, faults = await self.look(width)
        host = urlsplit(address).netloc
        return Look(title, [*faults, *(fault for event in self._events for fault in _faults(event, host))])

    async def look(self, width: int) -> Look:
        """Look at the open page in a window of this width in pixels."""
        await self._resize(width)
        # Two frames later what the page's own scripts change at first has been drawn.
        frames = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        await self.evaluate(f"document.fonts.ready.then(() => {frames})")
        seen = await self.evaluate(LOOK)
        faults = [f"{seen['excess']} pixels wider than the window"] if seen["excess"] > 0 else []
        faults += [f"sticks out: {element}" for element in seen["wide"]]
        faults += [f"heading not shown: {heading}" for heading in seen["hidden"]]
        faults += [f"column too narrow: {text}" for text in seen["narrow"]]
        faults += [f"word on two lines: {text}" for text in seen["broken"]]
        faults += [f"a line for the link of a heading: {text}" for text in seen["alone"]]
        faults += [f"word cut or covered in a drawing: {text}" for text in seen["labels"]]
        faults += [f"image not shown: {source}" for source in seen["images"]]
        return Look(seen["title"].removesuffix("¶").strip(), faults)

    async def _resize(self, width: int) -> None:
        is_phone = width < DESKTOP
        await self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=is_phone
        )

    async def picture(self) -> bytes:
        """Return a PNG of the whole page."""
        size = (await self.command("Page.getLayoutMetrics"))["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 12_000), "scale": 1}
        picture = await self.command("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        return base64.b64decode(picture["data"])


def _faults(event: dict[str, Any], host: str) -> list[str]:
    said = event.get("params", {})
    match event["method"]:
        case "Runtime.exceptionThrown":
            return [f"exception: {said['exceptionDetails']}"]
        case "Runtime.consoleAPICalled" if said["type"] in {"error", "warning"}:
            return [f"console: {said['args']}"]
        case "Log.entryAdded" if said["entry"]["level"] in {"error", "warning"}:
            return [f"log: {said['entry']['text']} {said['entry'].get('url', '')}"]
        case "Network.loadingFailed" if not said.get("canceled"):
            return [f"request failed: {said['errorText']}"]
        case "Network.requestWillBeSent":
            address = urlsplit(said["request"]["url"])
            return [] if address.netloc == host or address.scheme in {"data", "blob"} else [f"asks {address.geturl()}"]
    return []


@contextlib.asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """A browser with one tab, gone afterwards with all that it wrote."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            PROGRAM, *FLAGS, f"--user-data-dir={profile}", "about:blank",
            stderr=asyncio.subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        try:
            async with asyncio.timeout(SECONDS), aiohttp.ClientSession() as session:
                port = await _debugging_port(process)
                async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                    (tab,) = (target for target in await answer.json() if target["type"] == "page")
                async with session.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                    yield Browser(socket)
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # it has helpers
            await process.communicate()


async def _debugging_port(process: asyncio.subprocess.Process) -> int:
    assert process.stderr is not None
    said = b""
    async for line in process.stderr:
        if match := re.match(rb"DevTools listening on ws://127\.0\.0\.1:(\d+)/", line):
            return int(match[1])
        said += line
    raise RuntimeError(f"{PROGRAM} ended: {said.decode(errors='replace')}")
