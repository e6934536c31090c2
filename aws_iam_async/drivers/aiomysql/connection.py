"""An ``aiomysql.Connection`` that holds a secret only while it logs in.

``tests/drivers/test_private_names.py`` pins the private names of aiomysql that are used here.
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
from pymysql.constants import CLIENT, COMMAND, CR
from pymysql.err import MySQLError, OperationalError, raise_mysql_exception

from aws_iam_async.drivers.aiomysql.stubs import TypedConnection
from aws_iam_async.drivers.protocol import Watch, abort_transport
from aws_iam_async.errors import InsecureTransportError
from aws_iam_async.request import ConnectRequest
from aws_iam_async.secret import Bearer
from aws_iam_async.tls import contexts

MAX_LOGIN_PACKET = 1 << 16  # bytes; login packets have hundreds, and aiomysql 0.3.2 has no limit
# aiomysql 0.3.2 raises these when it reads a malformed packet. A UnicodeEncodeError comes from the caller's values.
MALFORMED_PACKET_ERRORS = (IndexError, UnboundLocalError, ValueError, struct.error)
ERROR_PACKET = b"\xff"  # its first byte
CLOSE_TIMEOUT = 1.0  # seconds; a healthy server closes within a round trip
INJECTION_HINT = "Check the network path for a proxy or an attacker that injects data."


class Connection(TypedConnection):
    """An ``aiomysql.Connection`` that logs in through the plugins, at first and on every reconnect.

    - It takes neither ``password`` nor ``ssl``. `log_in` gets them from `dial`, also for ``ping(reconnect=True)``.
    - TLS starts before any login data is sent, on the same transport.
    - A failed or cancelled login closes its socket at once, and so does `close`.
    """

    client_flag: int  # aiomysql ships no types
    _client_auth_plugin: str
    watch: Watch | None = None  # of its pool
    # Class attributes, because __del__ of aiomysql 0.3.2 reads them even if __init__ failed.
    _reader: Any = None
    _writer: Any = None

    def __init__(self, *, dial: Callable[["Connection"], Awaitable[object]], **aiomysql_keywords: Any) -> None:
        super().__init__(**aiomysql_keywords)
        self._dial = dial
        self._password = ""  # ``read_default_file`` may have set one
        self._bearer: Bearer | None = None

    async def _connect(self) -> None:
        """Log in again. ``ping(reconnect=True)`` of aiomysql calls this."""
        try:
            await self._dial(self)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the socket at once. aiomysql 0.3.2 takes up to 30 s over TLS (CPython 3.11)."""
        # If the loop is closed, aiomysql raises RuntimeError, and the destructor of the socket closes it.
        if self._writer is not None and not self._loop.is_closed():
            abort_transport(self._writer.transport)
        self._reader = self._writer = None

    async def ensure_closed(self) -> None:
        """Send COM_QUIT, and wait up to `CLOSE_TIMEOUT` until the server has closed the connection."""
        writer = self._writer
        if writer is None:
            return
        self._reader = self._writer = None
        try:
            writer.write(struct.pack("<IB", 1, COMMAND.COM_QUIT))
            writer.close()
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await writer.wait_closed()
        except OSError:
            pass  # the connection is lost, or the server does not respond
        finally:
            abort_transport(writer.transport)

    async def log_in(self, request: ConnectRequest) -> None:
        """Open the socket, start TLS, authenticate and set the session up. The caller limits the time.

        If there is a TLS context, TLS is required, and the server's certificate must be valid for the host. A `Bearer`
        is never hashed, and only sent if the server requests ``mysql_clear_password``. No frame of a traceback keeps
        the secret.
        """
        tls = await contexts.context(request.tls, unix_socket=bool(self._unix_socket))
        self._host, self._port = request.host or self.host, request.port or self.port
        self._user, self._db = request.user or self.user, request.database
        self._reset_session(tls=tls is not None)
        transport: asyncio.Transport | None = None
        try:
            transport, protocol = await self._open_socket()
            if not self._unix_socket:  # like aiomysql; asyncio and uvloop have set its TCP_NODELAY
                transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            await self._read_greeting()
            if tls is not None:
                transport, protocol = await self._start_tls(transport, tls)
            # Only now, because a StreamWriter that is replaced closes its transport (CPython 3.11.5 and later).
            self._writer = asyncio.StreamWriter(transport, protocol, self._reader, asyncio.get_running_loop())
            await self._authenticate(request.password or "")  # type: ignore[arg-type]  # the driver refuses functions
            await self._set_up_session()
        except BaseException as error:
            if transport is not None:
                abort_transport(transport)
            self._reader = self._writer = None
            self.__dict__.pop("_read_bytes", None)  # a bound method of its own object, a reference cycle
            # aiomysql's frames hold the secret in local variables, which error reporters print.
            traceback.clear_frames(error.__traceback__)
            self._raise_as_aiomysqls(error)
            raise

    async def _read_query_result(self, *arguments: Any, **keywords: Any) -> None:
        try:
            await super()._read_query_result(*arguments, **keywords)
        except MySQLError as error:
            self._tell_watch(error)
            raise

    async def _read_ok_packet(self) -> bool:
        try:
            return bool(await super()._read_ok_packet())
        except MySQLError as error:  # a COMMIT, for example
            self._tell_watch(error)
            raise

    def _tell_watch(self, error: Exception) -> None:
        if self.watch is not None:
            self.watch.failed(self, error)

    def _raise_as_aiomysqls(self, error: BaseException) -> None:
        """Raise a lost connection or a malformed packet as the ``OperationalError`` that aiomysql's callers expect."""
        server = self._unix_socket or self._host
        if isinstance(error, OSError):
            reason = str(error) or type(error).__name__
            message = f"Can't connect to MySQL server on {server!r} ({reason})"
            raise OperationalError(CR.CR_CONN_HOST_ERROR, message) from error
        if isinstance(error, MALFORMED_PACKET_ERRORS) and not isinstance(error, UnicodeEncodeError):
            message = f"Malformed packet from {server!r} (the server does not speak MySQL's protocol)"
            raise OperationalError(CR.CR_MALFORMED_PACKET, message) from error

    def _reset_session(self, *, tls: bool) -> None:
        """Close the previous session. Its socket may be open, because ``ping()`` reconnects on any error."""
        self.close()
        self._next_seq_id = 0
        self._read_bytes = self._read_login_bytes
        self._secure = tls or bool(self._unix_socket)
        self._result = None
        self._close_reason = None
        self.client_flag &= ~(CLIENT.SSL | CLIENT.CONNECT_WITH_DB)
        self.client_flag |= (CLIENT.SSL if tls else 0) | (CLIENT.CONNECT_WITH_DB if self._db else 0)

    async def _open_socket(self) -> tuple[asyncio.Transport, asyncio.StreamReaderProtocol]:
        loop = asyncio.get_running_loop()
        if self._unix_socket:
            self.host_info = f"Localhost via UNIX socket: {self._unix_socket}"
            return await loop.create_unix_connection(self._new_protocol, self._unix_socket)
        self.host_info = f"socket {self._host}:{self._port}"
        return await loop.create_connection(self._new_protocol, self._host, self._port)

    def _new_protocol(self) -> asyncio.StreamReaderProtocol:
        self._reader = _StreamReader()
        return asyncio.StreamReaderProtocol(self._reader)

    async def _read_greeting(self) -> None:
        try:
            await self._get_server_information()
        except OperationalError as error:
            error.add_note("This was before TLS and before the login: what a server says then is unverified.")
            raise

    async def _read_login_bytes(self, num_bytes: int) -> bytes:
        """Replace ``_read_bytes`` of aiomysql during the login, with a limit."""
        if num_bytes > MAX_LOGIN_PACKET:
            message = f"Malformed packet from {self._host!r} ({num_bytes} bytes are announced during the login)"
            raise OperationalError(CR.CR_MALFORMED_PACKET, message)
        data: bytes = await super()._read_bytes(num_bytes)
        return data

    async def _start_tls(
        self, plain: asyncio.Transport, tls: ssl.SSLContext
    ) -> tuple[asyncio.Transport, asyncio.StreamReaderProtocol]:
        """Start TLS on the same transport. aiomysql 0.3.2 duplicates the socket, and a cancellation can leak it."""
        if not self.server_capabilities & CLIENT.SSL:
            raise self._insecure(
                "offers no TLS, so nothing was sent. Require TLS on the server, and check that no proxy removes it."
            )
        # The request for TLS is the first part of the login packet, with the same flags.
        charset_id = charset_by_name(self.charset).id  # type: ignore[attr-defined]  # missing in types-PyMySQL 1.2
        payload = struct.pack("<iIB23s", self.client_flag, MAX_PACKET_LEN, charset_id, b"")
        plain.write(struct.pack("<I", len(payload) | self._next_seq_id << 24) + payload)
        self._next_seq_id += 1
        # Nothing here yields to the loop before start_tls takes over the transport. The reader therefore holds all
        # plaintext that came after the greeting, which would later pass for data that TLS protects.
        self._reader.feed_eof()
        if early := await self._reader.read():
            raise self._early_data_error(early)
        protocol = self._new_protocol()
        transport = await asyncio.get_running_loop().start_tls(plain, protocol, tls, server_hostname=self._host)
        if transport is None:  # CPython 3.11 to 3.13, if the connection was lost without an error
            raise ConnectionResetError("Connection lost during the TLS handshake")
        protocol.connection_made(transport)
        return transport, protocol

    def _early_data_error(self, early: bytes) -> Exception:
        """Return the error for data between the greeting and TLS, where a server that shuts down sends an error."""
        if early[4:5] != ERROR_PACKET:
            return self._insecure(f"sent more than its greeting before TLS. {INJECTION_HINT}")
        try:
            raise_mysql_exception(early[4 : 4 + int.from_bytes(early[:3], "little")])
        except MySQLError as error:
            message = f"Lost connection to MySQL server at {self._host!r} before TLS. It said, unverified: {error}"
            return OperationalError(CR.CR_SERVER_LOST, message)

    async def _authenticate(self, secret: str) -> None:
        """Run aiomysql's authentication, and keep the secret on this object only until it ends."""
        chosen = self._client_auth_plugin
        self._password, self._bearer = ("", secret) if isinstance(secret, Bearer) else (secret, None)
        # These two methods would put the secret itself into the first packet, and nothing answers for a token there.
        # The server requests the account's method later (auth switch), so the packet names another one, as the
        # ``mysql`` program does.
        if self._bearer or (chosen or self._server_auth_plugin) in {"mysql_clear_password", "sha256_password"}:
            self._client_auth_plugin = "mysql_native_password"
        try:
            await self._request_authentication()
        except AttributeError as error:
            # aiomysql 0.3.2 calls a function that PyMySQL 1.2 has removed.
            if self._bearer is None or error.name != "scramble_old_password":
                raise
            raise self._wrong_method("a hash as of MySQL 4.0") from error
        finally:
            self._password, self._bearer = "", None
            self._client_auth_plugin = chosen

    async def _process_auth(self, plugin_name: bytes, auth_packet: Any) -> Any:
        """Answer an auth switch, the server's request for another method."""
        if self._bearer is None:
            return await super()._process_auth(plugin_name, auth_packet)
        if plugin_name != b"mysql_clear_password":
            raise self._wrong_method(plugin_name.decode("ascii", "replace"))
        # No local variable may hold the secret's bytes, because of tracebacks. MySQL reads them as they are, as UTF-8.
        self.write_packet(self._bearer.encode() + b"\0")
        answer = await self._read_packet()
        if not answer.is_ok_packet():
            raise self._wrong_method("a second method after mysql_clear_password")
        self._auth_plugin_used = "mysql_clear_password"
        return answer

    def _wrong_method(self, method: str) -> InsecureTransportError:
        return self._insecure(
            f"requires {method} for user {self._user!r}, but a token is only sent with mysql_clear_password. Check "
            "that the user exists and is set up for IAM (on RDS: IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS')."
        )

    def _insecure(self, problem: str) -> InsecureTransportError:
        return InsecureTransportError(f"The server at {self._host}:{self._port} {problem}")

    async def _set_up_session(self) -> None:
        """Do what aiomysql does after a login."""
        del self._read_bytes
        self.connected_time = self._loop.time()
        if self.sql_mode is not None:
            await self.query(f"SET sql_mode={self.sql_mode}")
        if self.init_command is not None:
            await self.query(self.init_command)
            await self.commit()
        if self.autocommit_mode is not None:
            await self.autocommit(self.autocommit_mode)
