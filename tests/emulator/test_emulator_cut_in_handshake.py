"""A connection that is cut at any moment of its TLS handshake leaves nothing on its file descriptor."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

from aws_iam_async.testing import CertificateKind
from aws_iam_async.testing.certificates import Certificates
from aws_iam_async.testing.streams import hang_up, open_channel

HOST = "shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com"
MOST_WAITS = 20


class CancelledLate:
    """Awaits a coroutine in a task that is cancelled when its nth wait is over, before it has learnt so."""

    def __init__(self, inner: Any, nth: int) -> None:
        self._inner = inner
        self.left = nth

    def __await__(self) -> Generator[Any, Any, Any]:
        task = asyncio.current_task()
        assert task is not None
        error: BaseException | None = None
        while True:
            try:
                waiting = self._inner.send(None) if error is None else self._inner.throw(error)
            except StopIteration as done:
                return done.value
            self.left -= 1
            if self.left == 0:
                waiting.add_done_callback(lambda _: task.cancel())
            error = None
            try:
                yield waiting
            except BaseException as thrown:  # noqa: BLE001 - handed on whole
                error = thrown


def shake_hands(client: socket.socket, ca_file: Path) -> None:
    tls = ssl.create_default_context(cafile=ca_file)
    with contextlib.suppress(OSError), tls.wrap_socket(client, server_hostname=HOST) as wrapped:
        wrapped.recv(1)


async def test_a_new_connection_may_have_the_same_descriptor(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    tls = (await asyncio.to_thread(Certificates, HOST, ca_file)).context(CertificateKind.VALID)
    loop = asyncio.get_running_loop()
    for nth in range(1, MOST_WAITS):
        client, server = socket.socketpair()
        client.settimeout(10)
        server.settimeout(0)
        thread = threading.Thread(target=shake_hands, args=(client, ca_file))
        thread.start()
        opening = CancelledLate(open_channel(server, tls), nth)

        async def open_it(opening: CancelledLate = opening) -> Any:
            return await opening

        try:
            channel = await asyncio.create_task(open_it())
        except asyncio.CancelledError:
            channel = None
        else:
            channel.writer.transport.abort()
            await asyncio.sleep(0)
        descriptor = server.fileno() if channel is None else None
        hang_up(server)
        if descriptor is not None:
            one, other = socket.socketpair()
            with one, other:
                one.settimeout(0)
                if one.fileno() == descriptor:
                    other.send(b"x")
                    assert await asyncio.wait_for(loop.sock_recv(one, 1), 10) == b"x"
        await asyncio.to_thread(thread.join, 10)
        assert not thread.is_alive()
        if channel is not None:
            assert nth > 1
            return
    raise AssertionError("the handshake never came to its end")
