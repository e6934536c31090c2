"""What an editor offers: asked of the language servers of pyright and ty, which are what editors ask."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from aws_iam_async.plugins.iam import IamPlugin

Message = dict[str, Any]

SERVERS = {"pyright": ["pyright-langserver", "--stdio"], "ty": ["ty", "server"]}


class Editor:
    """Speaks the Language Server Protocol: JSON with a header that says its length."""

    def __init__(self, to_server: IO[bytes], from_server: IO[bytes]) -> None:
        self._to_server = to_server
        self._from_server = from_server

    def tell(self, **message: Any) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._to_server.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._to_server.flush()

    def ask(self, method: str, params: Message) -> Any:
        self.tell(id=method, method=method, params=params)
        while True:
            message = self._hear()
            if message.get("id") == method:
                return message["result"]
            if "id" in message:  # the server asks for settings
                asked = message["params"].get("items", []) if message["method"] == "workspace/configuration" else None
                settings = None if asked is None else [{"pythonPath": sys.executable} for _ in asked]
                self.tell(id=message["id"], result=settings)

    def _hear(self) -> Message:
        length = 0
        while line := self._from_server.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        message: Message = json.loads(self._from_server.read(length))
        return message


@contextmanager
def editor(server: str) -> Iterator[Editor]:
    program, *arguments = SERVERS[server]
    process = subprocess.Popen(
        [Path(sys.executable).with_name(program), *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env={**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1", "VIRTUAL_ENV": sys.prefix},
    )  # fmt: skip
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Editor(process.stdin, process.stdout)
        finally:
            process.terminate()


@pytest.fixture(scope="module", params=SERVERS)
def opened_editor(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    """An editor with a folder. One language server answers all questions, because starting one takes seconds."""
    folder = tmp_path_factory.mktemp("program")
    abilities = {"workspace": {"configuration": True, "workspaceFolders": True}}
    workspace = {"uri": folder.as_uri(), "name": "program"}
    with editor(request.param) as it:
        it.ask("initialize", {"processId": None, "capabilities": abilities, "workspaceFolders": [workspace]})
        it.tell(method="initialized", params={})
        yield it


@pytest.mark.parametrize(
    ("call", "also"),
    [
        ('connect("postgresql://db", ', {"sslrootcert", "timeout", "connect_timeout"}),
        ('connect(driver="asyncpg", ', {"sslrootcert", "timeout", "server_settings"}),
        ('create_pool(driver="aiomysql", ', {"sslrootcert", "connect_timeout", "maxsize", "pool_recycle"}),
        ("PluginManager(", {"plugins", "refresh"}),
    ],
)
def test_options_are_offered(opened_editor: Editor, call: str, also: set[str], tmp_path: Path) -> None:
    text = f"import aws_iam_async\naws_iam_async.{call})\n"
    document = {"uri": (tmp_path / "program.py").as_uri()}
    opened = {**document, "languageId": "python", "version": 1, "text": text}
    opened_editor.tell(method="textDocument/didOpen", params={"textDocument": opened})
    position = {"line": 1, "character": len(f"aws_iam_async.{call}")}
    offered = opened_editor.ask("textDocument/completion", {"textDocument": document, "position": position})
    items = offered if isinstance(offered, list) else offered["items"]
    names = {item["label"].removesuffix("=") for item in items if item["label"].endswith("=")}
    assert names >= IamPlugin.option_names | also
