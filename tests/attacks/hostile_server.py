"""A server that does to its clients whatever a script says, and writes down every byte that they send it."""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from typing import ClassVar, NoReturn, TypeAlias, TypeVar

from pymysql.constants import CLIENT

T = TypeVar("T")
SECONDS = 20
SALT = b"abcdefghijklmnopqrst"


class Victim:
    """The attacker's end of one connection, over a blocking socket.

    Attributes:
        on_the_wire: Every byte as a listener on the network sees it: plaintext, then TLS records.
        within_tls: What the attacker himself could read within TLS.
    """

    # The request for TLS: all that a client may say in plaintext before its TLS handshake.
    requests_for_tls: ClassVar[tuple[int, ...]]

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.on_the_wire = bytearray()
        self.within_tls = bytearray()
        self._tls: ssl.SSLObject | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()

    def receive(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += self.receive_some(size - len(data))
        return data

    def receive_some(self, size: int = 1 << 16) -> bytes:
        """Take what is there, at least one byte."""
        if self._tls is None:
            return self._from_the_wire(size)
        tls = self._tls
        data = self._drive(lambda: tls.read(size))
        if not data:
            raise ConnectionResetError
        self.within_tls += data
        return data

    def send(self, data: bytes) -> None:
        if self._tls is None:
            self.sock.sendall(data)
            return
        tls = self._tls
        self._drive(lambda: tls.write(data))

    def handshake(self, context: ssl.SSLContext) -> None:
        """Do the server's part of the TLS handshake."""
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._drive(self._tls.do_handshake)

    def wait(self) -> NoReturn:
        """Listen until the client is gone."""
        while True:
            self.receive_some()

    def hang_up(self) -> NoReturn:
        raise ConnectionAbortedError

    def _from_the_wire(self, size: int) -> bytes:
        data = self.sock.recv(size)
        if not data:
            raise ConnectionResetError
        self.on_the_wire += data
        return data

    def _drive(self, step: Callable[[], T]) -> T:
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                self._flush()
                self._incoming.write(self._from_the_wire(1 << 16))
            except ssl.SSLError:
                self._flush()  # the alert
                raise
            else:
                self._flush()
                return result

    def _flush(self) -> None:
        if data := self._outgoing.read():
            self.sock.sendall(data)

    # What both protocols have, each in its own words.

    def hear_request_for_tls(self, *, extra: Callable[[], bytes] = bytes) -> None:
        """Offer TLS as far as the protocol does it, send something more, and wait until the client asks for TLS."""
        raise NotImplementedError

    def agree_on_tls(self, *, extra: Callable[[], bytes] = bytes) -> None:
        """Come to where the client begins its TLS handshake."""
        raise NotImplementedError

    def decline_tls(self, *, extra: Callable[[], bytes] = bytes) -> None:
        raise NotImplementedError

    def hear_login(self) -> None:
        raise NotImplementedError

    def request(self, method: str) -> bytes:
        """The question for a password in this way: clear, hash, challenge, other or old."""
        raise NotImplementedError

    def welcome(self) -> bytes:
        """The verdict that the client is in."""
        raise NotImplementedError

    def redirect(self) -> bytes:
        """The verdict that the client is in, and has to go to a server of the attacker's."""
        raise NotImplementedError

    def nonsense(self) -> bytes:
        """A message that the protocol has no use for."""
        raise NotImplementedError

    def refusal(self) -> bytes:
        """The verdict that it is not, with words that would make a careless client try again without TLS."""
        raise NotImplementedError

    def hear_answer(self) -> bytes:
        raise NotImplementedError

    def _place(self) -> bytes:
        return "{}:{}".format(*self.sock.getsockname()).encode()

    def oversized(self) -> bytes:
        """The beginning of the longest message that the protocol has."""
        raise NotImplementedError


class PostgresVictim(Victim):
    requests_for_tls = (8,)

    def hear_request_for_tls(self, *, extra: Callable[[], bytes] = bytes) -> None:
        assert not extra(), "PostgreSQL's client speaks first"
        assert self.receive(8) == struct.pack("!II", 8, 80877103)

    def agree_on_tls(self, *, extra: Callable[[], bytes] = bytes) -> None:
        self.hear_request_for_tls()
        self.send(b"S" + extra())

    def decline_tls(self, *, extra: Callable[[], bytes] = bytes) -> None:
        self.hear_request_for_tls()
        self.send(b"N" + extra())

    def hear_login(self) -> None:
        (length,) = struct.unpack("!I", self.receive(4))
        self.receive(length - 4)

    def request(self, method: str) -> bytes:
        body = {
            "clear": struct.pack("!I", 3),
            "hash": struct.pack("!I", 5) + SALT[:4],
            "challenge": struct.pack("!I", 10) + b"SCRAM-SHA-256\0\0",
            "other": struct.pack("!I", 7),  # GSSAPI
            "old": struct.pack("!I", 4) + SALT[:2],  # crypt(3)
        }[method]
        return self._message(b"R", body)

    def welcome(self) -> bytes:
        return self._message(b"R", struct.pack("!I", 0))

    def redirect(self) -> bytes:
        # PostgreSQL has no redirects. If it had them, they might look like these messages.
        place = self._place()
        parameter = self._message(b"S", b"redirect_url\0postgresql://" + place + b"\0")
        return self.welcome() + parameter + self._message(b"N", b"SNOTICE\0C01000\0Mmoved\0Hgo to " + place + b"\0\0")

    def nonsense(self) -> bytes:
        return self._message(b"R", struct.pack("!I", 99) + b"\xff\xfe")

    def refusal(self) -> bytes:
        text = b"no pg_hba.conf entry for host, SSL on"
        return self._message(b"E", b"SFATAL\0VFATAL\0C28000\0M" + text + b"\0\0")

    def hear_answer(self) -> bytes:
        kind, length = struct.unpack("!cI", self.receive(5))
        assert kind == b"p"
        return self.receive(length - 4)

    def challenge(self) -> bytes:
        """SCRAM's second step, for the answer to the first."""
        nonce = self.hear_answer().partition(b",r=")[2]
        return self._message(b"R", struct.pack("!I", 11) + b"r=" + nonce + b"x,s=c2FsdA==,i=4096")

    def oversized(self) -> bytes:
        return b"R" + struct.pack("!I", 2**31 - 1) + bytes(1000)

    @staticmethod
    def _message(kind: bytes, body: bytes) -> bytes:
        return kind + struct.pack("!I", len(body) + 4) + body


class MysqlVictim(Victim):
    requests_for_tls = (36,)
    _number = 0

    def greeting(self, *, tls: bool = True, method: bytes = b"mysql_native_password") -> bytes:
        flags = (CLIENT.CAPABILITIES | CLIENT.PLUGIN_AUTH_LENENC_CLIENT_DATA) & ~CLIENT.SSL
        flags |= CLIENT.SSL if tls else 0
        head = b"\x0a8.0.40\0" + struct.pack("<I", 7) + SALT[:8] + b"\0" + struct.pack("<H", flags & 0xFFFF)
        tail = b"\x2d\2\0" + struct.pack("<H", flags >> 16) + b"\x15" + bytes(10) + SALT[8:] + b"\0" + method + b"\0"
        return self._packet(head + tail)

    def hear_request_for_tls(self, *, extra: Callable[[], bytes] = bytes) -> None:
        self.send(self.greeting() + extra())
        assert len(self._hear()) == 32

    def agree_on_tls(self, *, extra: Callable[[], bytes] = bytes) -> None:
        self.hear_request_for_tls(extra=extra)

    def decline_tls(self, *, extra: Callable[[], bytes] = bytes) -> None:
        self.send(self.greeting(tls=False) + extra())

    def hear_login(self) -> None:
        self._hear()

    def request(self, method: str) -> bytes:
        if method == "old":
            return self._packet(b"\xfe")
        name = {
            "clear": b"mysql_clear_password",
            "hash": b"mysql_native_password",
            "challenge": b"caching_sha2_password",
            "other": b"dialog",  # PAM
        }[method]
        return self._packet(b"\xfe" + name + b"\0" + SALT + b"\0")

    def welcome(self) -> bytes:
        return self._packet(b"\0\0\0\2\0\0\0")

    def redirect(self) -> bytes:
        # An "OK" with a tracked variable, as of MariaDB 11.3, and with Azure's text for the same.
        place = b"mysql://" + self._place()
        variable = b"".join(bytes([len(text)]) + text for text in (b"redirect_url", place))
        state = b"\0" + bytes([len(variable)]) + variable
        info = b"Location: " + place
        return self._packet(b"\0\0\0\2\x40\0\0" + bytes([len(info)]) + info + bytes([len(state)]) + state)

    def nonsense(self) -> bytes:
        return self._packet(b"\xff\x15\x04#\xff\xfe\xfd\xfc\xfb")

    def refusal(self) -> bytes:
        return self._packet(b"\xff\x15\x04#28000Access denied for user 'app'@'10.0.0.1' (using password: YES)")

    def hear_answer(self) -> bytes:
        return self._hear()

    def oversized(self) -> bytes:
        return b"\xff\xff\xff" + bytes([self._number]) + bytes(1000)

    def _packet(self, payload: bytes) -> bytes:
        self._number += 1
        return struct.pack("<I", len(payload) | (self._number - 1) << 24) + payload

    def _hear(self) -> bytes:
        (header,) = struct.unpack("<I", self.receive(4))
        self._number = (header >> 24) + 1
        return self.receive(header & 0xFFFFFF)


VICTIMS: dict[str, type[Victim]] = {
    "asyncpg": PostgresVictim,
    "aiomysql": MysqlVictim,
    "psycopg": PostgresVictim,
}
Script: TypeAlias = Callable[[Victim], None]


class HostileServer:
    """Runs a script for each client, in a thread of its own.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        victims: The connections so far.
    """

    def __init__(self, script: Script, victim: type[Victim]) -> None:
        self.victims: list[Victim] = []
        self._script = script
        self._victim = victim
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._failures: list[BaseException] = []
        self._waker: tuple[str, int] | None = None
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def _accept(self) -> None:
        while True:
            sock, address = self._listener.accept()
            if address == self._waker:
                sock.close()
                return
            sock.settimeout(SECONDS)
            self.victims.append(self._victim(sock))
            self._threads.append(threading.Thread(target=self._serve, args=(self.victims[-1],), daemon=True))
            self._threads[-1].start()

    def _serve(self, victim: Victim) -> None:
        try:
            with victim.sock, contextlib.suppress(ConnectionError, ssl.SSLError):  # the client has gone
                self._script(victim)
                victim.wait()
        except BaseException as error:  # noqa: BLE001 - raised in stop()
            self._failures.append(error)

    def stop(self) -> None:
        """Wait until every client is gone, and take no more.

        Raises:
            BaseException: What a script failed with; a ``TimeoutError`` if a client left its socket open.
        """
        if self._waker is not None:
            return
        with socket.socket() as waker:  # the last in the listener's queue
            waker.bind(("127.0.0.1", 0))
            self._waker = waker.getsockname()
            waker.connect(("127.0.0.1", self.port))
        for thread in (self._acceptor, *self._threads):
            thread.join(SECONDS * 2)
            assert not thread.is_alive()
        self._listener.close()
        for failure in self._failures:
            raise failure


def in_the_middle(victim: Victim, port: int, change: Callable[[bytes], bytes] = bytes) -> None:
    """Pass everything on between the client and a real server on this port, the server's words after a change."""
    with socket.create_connection(("127.0.0.1", port), SECONDS) as server:

        def down() -> None:
            with contextlib.suppress(OSError):
                while data := server.recv(1 << 16):
                    victim.send(change(data))
                victim.sock.shutdown(socket.SHUT_WR)

        answers = threading.Thread(target=down, daemon=True)
        answers.start()
        try:
            while True:
                server.sendall(victim.receive_some())
        finally:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            answers.join(SECONDS)
