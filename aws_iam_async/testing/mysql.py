"""The emulator's MySQL front end: TLS, token login, login to the real server, then a relay."""

import dataclasses
import secrets
import socket
import string

from aws_iam_async.secret import Secret
from aws_iam_async.testing import mysql_packets as packets
from aws_iam_async.testing.certificates import Certificates
from aws_iam_async.testing.faults import Stage
from aws_iam_async.testing.gatekeeper import Gatekeeper
from aws_iam_async.testing.record import Reason
from aws_iam_async.testing.servers import Upstream
from aws_iam_async.testing.streams import (
    Channel,
    MalformedMessageError,
    aborted_at_exit,
    open_channel,
    receive_exactly,
    relay,
    send,
)

# Salts must not contain a zero byte. Servers use 7-bit characters only.
_SALT_CHARACTERS = (string.ascii_letters + string.digits).encode()


class MysqlFront:
    """Serves clients with MySQL's protocol.

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
            OSError: The connection broke, a fault cut it, or the real server is not reachable.
            EOFError: The client or the server disconnected during the login.
        """
        await self._faults.reach(Stage.ACCEPTED)
        # The server comes first, because the client needs the thread id in its greeting for KILL.
        with aborted_at_exit(await self._upstream.connect()) as server:
            _, payload = await _receive(server)
            if payload[0] == packets.ERROR:  # for example "too many connections"
                await send(client, packets.packet(payload, 0))
                return
            greeting = packets.read_greeting(payload)
            await send(client, packets.packet(packets.write_greeting(self._greeting_for_client(greeting)), 0))
            length, sequence = packets.read_header(await receive_exactly(client, 4))
            payload = await receive_exactly(client, length)
            if not packets.is_ssl_request(payload):
                await self._refuse_plaintext(client, payload, sequence)
                return
            await self._faults.reach(Stage.TLS_AGREED)
            tls = self._certificates.context(self._faults.certificate)
            with aborted_at_exit(await open_channel(client, tls)) as channel:
                await self._faults.reach(Stage.TLS_DONE)
                await self._log_in(channel, server, greeting)

    def _greeting_for_client(self, greeting: packets.Greeting) -> packets.Greeting:
        capabilities = greeting.capabilities & ~packets.CLIENT_SSL
        if self._faults.offer_tls:
            capabilities |= packets.CLIENT_SSL
        return dataclasses.replace(
            greeting,
            capabilities=capabilities,
            salt=bytes(secrets.choice(_SALT_CHARACTERS) for _ in greeting.salt),
            # The default of RDS. Users with IAM then switch to another method.
            method=packets.METHOD_NATIVE,
        )

    async def _refuse_plaintext(self, client: socket.socket, payload: bytes, sequence: int) -> None:
        response = packets.read_response(payload)
        self._refuse(Reason.PLAINTEXT, response)
        denied = packets.access_denied(response.user, client.getpeername()[0])
        await send(client, packets.packet(denied, sequence + 1))

    async def _log_in(self, client: Channel, server: Channel, greeting: packets.Greeting) -> None:
        sequence, response = await _receive_response(client)
        address = client.writer.get_extra_info("peername")[0]
        # First, because RDS decides by the user which password it requests.
        answer = await self._log_in_to_server(server, greeting, response)
        if response.user in self._faults.password_users or packets.is_access_denied(answer):
            # The client has already answered the method in the greeting, which these users have in the emulator, and
            # with which MySQL also refuses users that do not exist.
            is_known = response.user in self._faults.password_users
            self._refuse(Reason.NOT_FOR_IAM if is_known else Reason.UNKNOWN_USER, response)
            denied = packets.access_denied(response.user, address, password=bool(response.scramble))
            await client.send(packets.packet(denied, sequence + 1))
            await client.close()
            return
        if response.method == packets.METHOD_CLEARTEXT:
            token = _token(response.scramble)
        else:
            await client.send(packets.packet(packets.cleartext_password_request(), sequence + 1))
            sequence, token = await _receive_token(client)
        await self._faults.reach(Stage.TOKEN_RECEIVED)
        record = self._gatekeeper.decide(token, protocol="mysql", user=response.user, database=response.database)
        if not record.accepted:
            await client.send(packets.packet(packets.access_denied(response.user, address), sequence + 1))
            await client.close()
            return
        await client.send(packets.packet(answer, sequence + 1))
        if answer[0] == packets.OK:
            await self._faults.reach(Stage.LOGGED_IN)
            await relay(client, server)
        else:
            await client.close()

    def _refuse(self, reason: Reason, response: packets.Response) -> None:
        self._gatekeeper.refuse(reason, protocol="mysql", user=response.user, database=response.database)

    async def _log_in_to_server(self, server: Channel, greeting: packets.Greeting, response: packets.Response) -> bytes:
        """Log in as the client's user with the client's options. Return the server's final packet."""
        password = self._upstream.password
        server_response = dataclasses.replace(
            response,
            scramble=packets.scramble_native_password(password, greeting.salt),
            method=packets.METHOD_NATIVE,
        )
        await server.send(packets.packet(packets.write_response(server_response), 1))
        sequence, answer = await _receive(server)
        if answer[0] == packets.AUTH_SWITCH:
            method, salt = packets.read_auth_switch(answer)
            if method != packets.METHOD_NATIVE:
                raise MalformedMessageError(
                    f"the server requests {method}, but its users must have {packets.METHOD_NATIVE}"
                )
            scramble = packets.scramble_native_password(password, salt)
            await server.send(packets.packet(scramble, sequence + 1))
            _, answer = await _receive(server)
        return answer


async def _receive(peer: Channel) -> tuple[int, bytes]:
    length, sequence = packets.read_header(await peer.reader.readexactly(4))
    return sequence, await peer.reader.readexactly(length)


async def _receive_response(client: Channel) -> tuple[int, packets.Response]:
    sequence, payload = await _receive(client)
    return sequence, packets.read_response(payload)


async def _receive_token(client: Channel) -> tuple[int, Secret]:
    sequence, payload = await _receive(client)
    return sequence, _token(payload)


def _token(password: bytes) -> Secret:
    # Bytes that are not UTF-8 cannot be a token. Verification refuses the replacement characters as malformed.
    return Secret(password.removesuffix(b"\0").decode(errors="replace"))
