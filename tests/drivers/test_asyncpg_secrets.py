"""asyncpg is given a static password in whatever way the server asks for it, and no secret for TLS on a unix socket."""

import asyncio
from typing import Any

import asyncpg
import pytest

import aws_iam_async
from aws_iam_async import ConnectRequest, InsecureTransportError
from tests.attacks.hostile_server import HostileServer, PostgresVictim, Victim


@pytest.mark.parametrize("method", ["clear", "hash", "challenge"])
@pytest.mark.parametrize("way", ["in the DSN", "as a keyword"])
async def test_a_static_password(method: str, way: str) -> None:
    answers: list[bytes] = []

    def script(victim: Victim) -> None:
        assert isinstance(victim, PostgresVictim)
        victim.hear_login()
        victim.send(victim.request(method))
        if method == "challenge":
            victim.send(victim.challenge())
        answers.append(victim.hear_answer())
        victim.hang_up()

    server = HostileServer(script, PostgresVictim)
    login, password = ("app:hunter2", None) if way == "in the DSN" else ("app", "hunter2")
    dsn = f"postgresql://{login}@127.0.0.1:{server.port}/shop?sslmode=disable"
    with pytest.raises(asyncpg.ConnectionDoesNotExistError):
        await aws_iam_async.connect(dsn, plugins="", timeout=10, password=password)
    await asyncio.to_thread(server.stop)
    (answer,) = answers
    assert answer.startswith({"clear": b"hunter2", "hash": b"md5", "challenge": b"c=biws,r="}[method])


@pytest.mark.parametrize("host", ["/var/run/postgresql", None])
async def test_a_secret_for_tls_only_is_not_sent_to_a_unix_socket(host: str | None) -> None:
    class Store:
        """A plugin that brings a secret, and another place to dial."""

        async def connect(self, request: ConnectRequest, call_next: Any) -> Any:
            return await call_next(request.replace(host=host, password="hunter2", tls=request.tls.secured()))

    with pytest.raises(InsecureTransportError, match="not sent over a Unix socket"):
        await aws_iam_async.connect("postgresql://app@db.example/shop", plugins=[Store()], timeout=10)
