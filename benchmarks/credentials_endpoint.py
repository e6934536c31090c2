"""A slow credentials endpoint of a container, and a slow Secrets Manager.

They run in a process of their own, so that they do not take time from the event loop.
"""

import contextlib
import http.server
import json
import multiprocessing
import time
from collections.abc import Iterator
from typing import Any

DELAY = 0.2  # seconds before each answer

_ANSWER = {
    "AccessKeyId": "ASIAIOSFODNN7EXAMPLE",
    "SecretAccessKey": "example",
    "Token": "example",
    "Expiration": "2099-01-01T00:00:00Z",
}

_SECRET = {"Name": "shop/app", "SecretString": json.dumps({"username": "app", "password": "example"})}


@contextlib.contextmanager
def running() -> Iterator[tuple[str, Any]]:
    """Yield the URL of the endpoint and a shared counter of its requests. Set its ``value`` to 0 to reset it."""
    context = multiprocessing.get_context("spawn")
    requests = context.Value("i", 0)
    parent_end, child_end = context.Pipe()
    process = context.Process(target=_serve, args=(child_end, requests), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{parent_end.recv()}/credentials", requests
    finally:
        process.terminate()
        process.join()


def _serve(child_end: Any, requests: Any) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(_ANSWER)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(_SECRET)

        def answer(self, document: object) -> None:
            with requests.get_lock():
                requests.value += 1
            time.sleep(DELAY)
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    child_end.send(server.server_port)
    server.serve_forever()
