"""The emulator's PostgreSQL front end: TLS, token login, login to the real server, then a relay."""

import socket
import struct

from aws_iam_async.secret import Secret
from aws_iam_async.testing import postgres_messages as messages
from aws_iam_async.testing.certificates import Certificates
from aws_iam_async.testing.faults import Stage
from aws_iam_async.testing.gatekeeper import Gatekeeper
from aws_iam_async.testing.postgres_password import PasswordDialog
from aws_iam_async.testing.record import LoginRecord, Reason
from aws_iam_async.testing.servers import Upstream
from aws_iam_async.testing.streams import (
    Channel,
    MalformedMessageError,
    aborted_at_exit,
    open_channel,
    peek,
    receive_exactly,
    relay,
    send,
)

_TLS_RECORD = b"\x16"


class PostgresFront:
    """Serves clients with PostgreSQL's protocol.

    Args:
        upstream: The real server.
        gatekeeper: Decides on logins.
        certificates: The certificates to present.
    """

    def __init__(self, upstream: Upstream, gatekeeper: Gatekeeper, certificates: Certificates) -> None:
        self._upstream = upstream
        self._gatekeeper = gatekeeper
        self._faults = gatekeeper.faults
        self._certificates = certificates

    async def serve(self, client: socket.socket) -> None:
        """Serve a client until it or the server disconnects.

        Raises:
            MalformedMessageError: The client violates the protocol.
            OSError: The connection broke, or a fault cut it.
            EOFError: The client disconnected during the login.
        """
        await self._faults.reach(Stage.ACCEPTED)
        if await peek(client) != _TLS_RECORD:
            if not await self._negotiate_tls(client):
                return
            await self._faults.reach(Stage.TLS_AGREED)
        tls = self._certificates.context(self._faults.certificate)
        with aborted_at_exit(await open_channel(client, tls)) as channel:
            await self._faults.reach(Stage.TLS_DONE)
            await self._log_in(channel)

    async def _negotiate_tls(self, client: socket.socket) -> bool:
        """Answer the packets before the TLS handshake. Return False if the connection ends without TLS."""
        while True:
            length, code = messages.HEADER.unpack(await receive_exactly(client, messages.HEADER.size))
            body = await receive_exactly(client, messages.first_packet_size(length))
            if code == messages.SSL_REQUEST and self._faults.offer_tls:
                await send(client, b"S")
                return True
            if code in {messages.SSL_REQUEST, messages.GSSENC_REQUEST}:
                await send(client, b"N")
                continue
            packet = messages.HEADER.pack(length, code) + body
            if code == messages.CANCEL_REQUEST:
                await self._cancel(packet)
            else:
                startup = messages.read_startup(packet)
                self._refuse(Reason.PLAINTEXT, startup)
                await send(
                    client, messages.encryption_required(client.getpeername()[0], startup.user, startup.database)
                )
            return False

    async def _log_in(self, client: Channel) -> None:
        header = await client.reader.readexactly(messages.HEADER.size)
        length, code = messages.HEADER.unpack(header)
        packet = header + await client.reader.readexactly(messages.first_packet_size(length))
        if code == messages.CANCEL_REQUEST:
            await self._cancel(packet)
            await client.close()  # libpq takes an end without TLS's own for a failure
            return
        await self._log_in_user(client, messages.read_startup(packet))

    async def _log_in_user(self, client: Channel, startup: messages.Startup) -> None:
        try:
            server = await self._upstream.connect()
        except OSError:
            await client.send(messages.starting_up())
            await client.close()
            return
        with aborted_at_exit(server):
            await server.send(startup.packet)
            # First, because RDS decides by the user which password it requests.
            answer, is_accepted = await self._log_in_to_server(server)
            if startup.user in self._faults.password_users:
                await self._refuse_password(client, startup, Reason.NOT_FOR_IAM)
            elif not is_accepted and messages.is_unknown_user(answer, startup.user):
                await self._refuse_password(client, startup, Reason.UNKNOWN_USER)
            elif await self._accept_token(client, startup):
                await client.send(answer)
                if is_accepted:
                    await self._faults.reach(Stage.LOGGED_IN)
                await relay(client, server)

    async def _refuse_password(self, client: Channel, startup: messages.Startup, reason: Reason) -> None:
        self._refuse(reason, startup)
        await client.send(messages.scram_request())
        await client.send(messages.scram_challenge(await receive_password(client)))
        await receive_password(client)
        await client.send(messages.password_refused(startup.user))
        await client.close()

    async def _accept_token(self, client: Channel, startup: messages.Startup) -> bool:
        await client.send(messages.cleartext_password_request())
        token = await receive_password(client)
        await self._faults.reach(Stage.TOKEN_RECEIVED)
        record = self._gatekeeper.decide(token, protocol="postgresql", user=startup.user, database=startup.database)
        if not record.accepted:
            await client.send(self._answer_to_refused(record))
            await client.close()
        return record.accepted

    def _answer_to_refused(self, record: LoginRecord) -> bytes:
        return messages.authentication_refused(record.user)

    def _refuse(self, reason: Reason, startup: messages.Startup) -> LoginRecord:
        return self._gatekeeper.refuse(reason, protocol="postgresql", user=startup.user, database=startup.database)

    async def _log_in_to_server(self, server: Channel) -> tuple[bytes, bool]:
        """Log in to the real server. Return its answer for the client, and whether it accepts the login."""
        dialog = PasswordDialog(self._upstream.password)
        answer, is_authenticated = b"", False
        while True:
            kind, length = struct.unpack("!cI", await server.reader.readexactly(5))
            body = await server.reader.readexactly(length - 4)
            if kind == b"R" and struct.unpack_from("!I", body)[0] != messages.AUTHENTICATION_OK:
                await server.send(dialog.answer(body))
                continue
            answer += messages.message(kind, body)
            # The server looks for the role and the database after the authentication.
            if kind == b"E" or (is_authenticated and kind != b"N"):
                return answer, kind != b"E"
            is_authenticated = is_authenticated or kind == b"R"

    async def _cancel(self, packet: bytes) -> None:
        """Forward a cancel request. The server closes the connection when it has processed the request."""
        with aborted_at_exit(await self._upstream.connect()) as server:
            await server.send(packet)
            await server.reader.read()


async def receive_password(client: Channel) -> Secret:
    """Return what a client answers to a request for a password."""
    kind, length = struct.unpack("!cI", await client.reader.readexactly(5))
    if kind != b"p" or length not in messages.PASSWORD_LENGTHS:
        raise MalformedMessageError("the client did not answer the password request with a PasswordMessage")
    body = await client.reader.readexactly(length - 4)
    # Bytes that are not UTF-8 cannot be a token. Verification refuses the replacement characters as malformed.
    return Secret(body.removesuffix(b"\0").decode(errors="replace"))
