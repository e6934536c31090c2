"""An ``aiomysql.Connection`` that is given its secret at each login, and only for the length of it.

The private names of aiomysql used here are pinned by ``tests/drivers/test_private_names.py``.
"""

import asyncio
import socket
import ssl
import struct
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

from aiomysql.connection import _StreamReader
from pymysql.charset import charset_by_name
from pymysql.connections import MAX_PACKET_LEN
from pymysql.constants import CLIENT, COMMAND, CR, ER
from pymysql.err import OperationalError

from aws_iam_async.abort import abort
from aws_iam_async.drivers.aiomysql.typed import TypedConnection
from aws_iam_async.errors import InsecureTransportError
from aws_iam_async.secret import Bearer, Secret

LONGEST_LOGIN_PACKET = 1 << 16  # bytes; greetings and answers take hundreds, aiomysql 0.3.2 would take endless ones
# What aiomysql 0.3.2 ends in when it reads a broken packet. It encodes as well, but only what the caller gave.
UNREADABLE = (IndexError, UnboundLocalError, ValueError, struct.error)
FAREWELL = 1.0  # seconds; a server that lives hangs up within a round trip


class Connection(TypedConnection):
    """One physical connection, dialled through the plugins every time that it has to be.

    Differences from ``aiomysql.Connection``, none of which a query meets:

    - It never owns a password. Whoever dials hands one to `log_in`, and ``ping(reconnect=True)`` dials anew.
    - TLS is set up before anything about the login is sent, on the same transport, or the login fails.
    - A login that fails or is cancelled leaves no socket behind, nor does a connection that was closed.

    Args:
        dial: Logs this connection in, by awaiting `log_in`; called for the first login and for every reconnect.
        **aiomysql_keywords: What ``aiomysql.Connection`` takes, without ``password`` and ``ssl``: they belong to a
            login. A password in ``read_default_file`` is not used either.
    """

    # On the class too, because __del__ of aiomysql 0.3.2 fails when __init__ has failed before these were set.
    _reader: Any = None
    _writer: Any = None
    # For the type checker, which does not see into aiomysql.
    client_flag: int
    _client_auth_plugin: str

    def __init__(self, *, dial: Callable[["Connection"], Awaitable[None]], **aiomysql_keywords: Any) -> None:
        super().__init__(**aiomysql_keywords)
        self._dial = dial
        self._password = ""
        self._bearer: Bearer | None = None

    async def _connect(self) -> None:
        """Dial: aiomysql's own name for it, which ``ping(reconnect=True)`` calls."""
        try:
            await self._dial(self)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the socket at once.

        aiomysql 0.3.2 would leave it open until the server has answered the end of TLS, up to 30 s on CPython 3.11,
        and a loop that ends before that warns of it. Once the loop is closed, the socket goes with the last reference
        to it: there, aiomysql fails with "Event loop is closed", in the garbage collector too.
        """
        if self._writer is not None and not self._loop.is_closed():
            abort(self._writer.transport)
        self._reader = self._writer = None

    async def ensure_closed(self) -> None:
        """Tell the server goodbye, and close the socket when it has hung up, after `FAREWELL` seconds at the latest."""
        writer = self._writer
        if writer is None:
            return
        self._reader = self._writer = None
        try:
            writer.write(struct.pack("<IB", 1, COMMAND.COM_QUIT))
            writer.close()
            async with asyncio.timeout(FAREWELL):
                await writer.wait_closed()
        except OSError:
            pass  # lost or stuck: no goodbye, then
        finally:
            abort(writer.transport)

    async def log_in(
        self,
        password: str,
        *,
        tls: ssl.SSLContext | None,
        secret_needs_tls: bool,
        host: str,
        port: int,
        user: str,
        db: str | None,
    ) -> None:
        """Open the socket, protect it, authenticate and set the session up.

        There is no time-out in here: bound the whole of it from outside.

        Args:
            password: The secret; ``""`` for none. It is forgotten when this returns, and is in no frame of a traceback.
            tls: Context for TLS, which then is required; ``None`` for plaintext.
            secret_needs_tls: Send the secret only over TLS. A `Bearer` is moreover only sent when the server asks for
                it as it is (``mysql_clear_password``): no hash of it, to nobody.
            host: Name or address to dial, and the name the server's certificate is checked against. Not used with
                ``unix_socket``.
            port: TCP port to dial.
            user: Database user.
            db: Database to use, or ``None``.

        Raises:
            InsecureTransportError: The secret would have left without the protection it needs. It was not sent.
            pymysql.err.OperationalError: 2003 if the server cannot be reached or TLS fails, with the reason as its
                cause; 2027 if what answers is no MySQL; else what the server says.
        """
        secret = password if isinstance(password, Bearer) else Secret(password)
        del password  # it may be a plain str, which a traceback with locals would show
        if secret_needs_tls and self._unix_socket:
            raise InsecureTransportError(
                "A secret that is only for TLS is not sent over a unix socket: connect to host and port instead of "
                f"unix_socket={self._unix_socket!r}."
            )
        if secret_needs_tls and tls is None:
            raise InsecureTransportError(
                f"The password for {user!r} at {host}:{port} may only be sent over TLS, and TLS is switched off: "
                "leave ssl at its default, or pass an ssl.SSLContext."
            )
        self._host, self._port, self._user, self._db = host, port, user, db
        self._start_anew(tls=tls is not None)
        self._read_bytes = self._read_login_bytes
        transport: asyncio.Transport | None = None
        try:
            transport, protocol = await self._open_socket()
            if not self._unix_socket:  # as aiomysql does; it sets TCP_NODELAY too, which asyncio and uvloop have done
                transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            await self._greet(tls=tls is not None)
            if tls is not None:
                transport, protocol = await self._start_tls(transport, tls)
            # Not before: a StreamWriter that is replaced closes its transport as it goes (CPython 3.11.5 and later).
            self._writer = asyncio.StreamWriter(transport, protocol, self._reader, asyncio.get_running_loop())
            await self._authenticate(secret)
            del self._read_bytes
            await self._set_up_session()
        except BaseException as error:
            if transport is not None:
                abort(transport)
            self._reader = self._writer = None
            self.__dict__.pop("_read_bytes", None)  # a bound method on its own object: a cycle
            # aiomysql's frames hold the secret's bytes in local variables, and reporters that print locals are common.
            traceback.clear_frames(error.__traceback__)
            place = self._unix_socket or self._host
            if isinstance(error, OSError):
                reason = str(error) or type(error).__name__
                message = f"Can't connect to MySQL server on {place!r} ({reason})"
                raise OperationalError(CR.CR_CONN_HOST_ERROR, message) from error
            if isinstance(error, UNREADABLE) and not isinstance(error, UnicodeEncodeError):
                message = f"Malformed packet from {place!r}: it does not speak MySQL's protocol"
                raise OperationalError(CR.CR_MALFORMED_PACKET, message) from error
            raise

    def _start_anew(self, *, tls: bool) -> None:
        """Drop the session before this one: ``ping()`` reconnects on any failure, also while the socket is open."""
        self.close()
        self._next_seq_id = 0
        self._secure = tls or bool(self._unix_socket)
        self._result = None
        self._close_reason = None
        for flag, wanted in ((CLIENT.SSL, tls), (CLIENT.CONNECT_WITH_DB, bool(self._db))):
            self.client_flag = self.client_flag | flag if wanted else self.client_flag & ~flag

    async def _open_socket(self) -> tuple[asyncio.Transport, asyncio.StreamReaderProtocol]:
        """Open the socket and read from it."""
        loop = asyncio.get_running_loop()
        self._reader = _StreamReader(loop=loop)
        protocol = asyncio.StreamReaderProtocol(self._reader, loop=loop)
        if self._unix_socket:
            transport, _ = await loop.create_unix_connection(lambda: protocol, self._unix_socket)
            self.host_info = f"Localhost via UNIX socket: {self._unix_socket}"
        else:
            transport, _ = await loop.create_connection(lambda: protocol, self._host, self._port)
            self.host_info = f"socket {self._host}:{self._port}"
        return transport, protocol

    async def _greet(self, *, tls: bool) -> None:
        """Read the server's greeting, or the error that it says instead, such as "too many connections"."""
        try:
            await self._get_server_information()
        except OperationalError as error:
            if tls and error.args[:1] == (ER.ACCESS_DENIED_ERROR,):
                # No server refuses a login before there was one: believed, this would use up good tokens.
                raise InsecureTransportError(
                    f"The server at {self._host}:{self._port} refused the login in plaintext before it began: something"
                    " between here and there may be injecting data."
                ) from error
            raise

    async def _read_login_bytes(self, num_bytes: int) -> bytes:
        """What ``_read_bytes`` of aiomysql is during the login: there is an end to what it takes."""
        if num_bytes > LONGEST_LOGIN_PACKET:
            message = f"Malformed packet from {self._host!r}: {num_bytes} bytes are announced during the login"
            raise OperationalError(CR.CR_MALFORMED_PACKET, message)
        data: bytes = await super()._read_bytes(num_bytes)
        return data

    async def _start_tls(
        self, plain: asyncio.Transport, tls: ssl.SSLContext
    ) -> tuple[asyncio.Transport, asyncio.StreamReaderProtocol]:
        """Ask for TLS, start it on the same transport, and read from there.

        aiomysql 0.3.2 starts it on a duplicate of the socket, which a cancel in between leaves open.
        """
        if not self.server_capabilities & CLIENT.SSL:
            raise InsecureTransportError(
                f"The server at {self._host}:{self._port} offers no TLS, so nothing was sent to it: require TLS on "
                "the server, and check that nothing between here and there strips it."
            )
        # The beginning of the login packet, with the same flags, is the request for TLS.
        charset_id = charset_by_name(self.charset).id  # type: ignore[attr-defined]  # missing in types-PyMySQL 1.2
        payload = struct.pack("<iIB23s", self.client_flag, MAX_PACKET_LEN, charset_id, b"")
        plain.write(struct.pack("<I", len(payload) | self._next_seq_id << 24) + payload)
        self._next_seq_id += 1
        # Nothing yields to the loop from here until start_tls has taken the transport over, so what the old reader
        # holds now is all that came in plaintext after the greeting. Read later, it would pass for what TLS protects.
        self._reader.feed_eof()
        if await self._reader.read(1):
            raise InsecureTransportError(
                f"The server at {self._host}:{self._port} sent more than its greeting before TLS: something between "
                "here and there may be injecting data."
            )
        loop = asyncio.get_running_loop()
        self._reader = _StreamReader(loop=loop)
        protocol = asyncio.StreamReaderProtocol(self._reader, loop=loop)
        transport = await loop.start_tls(plain, protocol, tls, server_hostname=self._host)
        if transport is None:  # CPython 3.11 to 3.13: the connection was lost without an error meanwhile
            raise ConnectionResetError("Connection lost during the TLS handshake")
        protocol.connection_made(transport)
        return transport, protocol

    async def _authenticate(self, secret: Secret) -> None:
        """Log in with aiomysql's own code, which finds the secret on this object for just so long."""
        chosen = self._client_auth_plugin
        self._client_auth_plugin = self._first_method()
        self._password, self._bearer = ("", secret) if isinstance(secret, Bearer) else (secret, None)
        try:
            await self._request_authentication()
        except AttributeError as error:
            # aiomysql 0.3.2 still calls what PyMySQL 1.2 has no more.
            if self._bearer is None or error.name != "scramble_old_password":
                raise
            raise self._refusal("a hash as of MySQL 4.0") from error
        finally:
            self._password, self._bearer = "", None
            self._client_auth_plugin = chosen

    def _first_method(self) -> str:
        """The authentication method to name in the login packet, before the server has said what the account needs.

        The server's default is the best guess, and a server asks again (auth switch) when the account needs another.
        These two would put the secret itself into the first packet, where nobody has asked for it: so name one that
        does not, as the ``mysql`` program does, and be asked.
        """
        method: str = self._client_auth_plugin or self._server_auth_plugin
        return "mysql_native_password" if method in {"mysql_clear_password", "sha256_password"} else method

    async def _process_auth(self, plugin_name: bytes, auth_packet: Any) -> Any:
        """Answer the server's request for another method than the one first named (auth switch)."""
        if self._bearer is None:
            return await super()._process_auth(plugin_name, auth_packet)
        if plugin_name != b"mysql_clear_password":
            raise self._refusal(plugin_name.decode("ascii", "replace"))
        # No local variable for these bytes: see traceback.clear_frames above. MySQL takes them as they are, so UTF-8.
        self.write_packet(self._bearer.encode() + b"\0")
        answer = await self._read_packet()
        if not answer.is_ok_packet():
            raise self._refusal("a second method after mysql_clear_password")
        self._auth_plugin_used = "mysql_clear_password"
        return answer

    async def caching_sha2_password_auth(self, pkt: Any) -> Any:
        """Refuse to hash a `Bearer`; else aiomysql's own."""
        if self._bearer is not None:
            raise self._refusal("caching_sha2_password")
        return await super().caching_sha2_password_auth(pkt)

    async def sha256_password_auth(self, pkt: Any) -> Any:
        """Refuse to hash a `Bearer`; else aiomysql's own."""
        if self._bearer is not None:
            raise self._refusal("sha256_password")
        return await super().sha256_password_auth(pkt)

    def _refusal(self, method: str) -> InsecureTransportError:
        return InsecureTransportError(
            f"The server at {self._host}:{self._port} asked {self._user!r} for {method}, and this password may only "
            "answer mysql_clear_password: check that the user exists there and is set up for it (on RDS: "
            "IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS')."
        )

    async def _set_up_session(self) -> None:
        """What aiomysql does after each login."""
        self.connected_time = self._loop.time()
        if self.sql_mode is not None:
            await self.query(f"SET sql_mode={self.sql_mode}")
        if self.init_command is not None:
            await self.query(self.init_command)
            await self.commit()
        if self.autocommit_mode is not None:
            await self.autocommit(self.autocommit_mode)
