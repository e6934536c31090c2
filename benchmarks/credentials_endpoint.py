"""A container's credentials endpoint and a Secrets Manager that take their time.

They are in a process of their own, so that they steal no loop time.
"""

import contextlib
import http.server
import json
import multiprocessing
import time
from collections.abc import Iterator
from typing import Any

DELAY = 0.2

_ANSWER = {
    "AccessKeyId": "ASIAIOSFODNN7EXAMPLE",
    "SecretAccessKey": "example",
    "Token": "example",
    "Expiration": "2099-01-01T00:00:00Z",
}

_SECRET = {"Name": "shop/app", "SecretString": json.dumps({"username": "app", "password": "example"})}


@contextlib.contextmanager
def running() -> Iterator[tuple[str, Any]]:
    """Yield its URL, and a shared counter of its requests whose ``value`` may be set back to 0."""
    context = multiprocessing.get_context("spawn")
    requests = context.Value("i", 0)
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, requests), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}/credentials", requests
    finally:
        process.terminate()
        process.join()


def _serve(there: Any, requests: Any) -> None:
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
    there.send(server.server_port)
    server.serve_forever()
