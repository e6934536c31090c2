"""The emulator's own login to a PostgreSQL server that requests a password.

Only servers that the user of the emulator provides do so. Servers that the emulator starts trust local connections.
"""

import base64
import hashlib
import hmac
import secrets
import struct

from aws_iam_async.testing import postgres_messages as messages
from aws_iam_async.testing.streams import MalformedMessageError


class PasswordDialog:
    """Answers a server's authentication requests with a cleartext password or SCRAM-SHA-256 (RFC 5802 and 7677).

    It uses no channel binding and does not verify the server's signature, because the connection is local to a test.

    Args:
        password: The user's password on the server.
    """

    def __init__(self, password: str) -> None:
        self._password = password.encode()
        self._client_first = ""

    def answer(self, request: bytes) -> bytes:
        """Return the reply to the body of an authentication request. Empty for the last request.

        Raises:
            MalformedMessageError: The server requests an unsupported method or violates the protocol.
        """
        try:
            method = struct.unpack_from("!I", request)[0]
            if method == messages.AUTHENTICATION_CLEARTEXT:
                return messages.message(b"p", self._password + b"\0")
            if method == messages.AUTHENTICATION_SASL and messages.SCRAM_SHA_256 in request[4:].split(b"\0"):
                return self._client_first_message()
            if method == messages.AUTHENTICATION_SASL_CONTINUE and self._client_first:
                return self._client_final_message(request[4:].decode())
            if method == messages.AUTHENTICATION_SASL_FINAL:
                return b""
        except (ValueError, KeyError, struct.error):
            raise MalformedMessageError("malformed authentication request from the server") from None
        raise MalformedMessageError(f"the server requests authentication method {method}, which is not supported")

    def _client_first_message(self) -> bytes:
        # PostgreSQL reads the user name from the StartupMessage and ignores the name here.
        self._client_first = f"n=,r={base64.b64encode(secrets.token_bytes(18)).decode()}"
        payload = f"n,,{self._client_first}".encode()
        return messages.message(b"p", messages.SCRAM_SHA_256 + b"\0" + struct.pack("!I", len(payload)) + payload)

    def _client_final_message(self, server_first: str) -> bytes:
        attributes = dict(part.split("=", 1) for part in server_first.split(","))
        salt, iterations = base64.b64decode(attributes["s"]), int(attributes["i"])
        salted_password = hashlib.pbkdf2_hmac("sha256", self._password, salt, iterations)
        client_key = hmac.digest(salted_password, b"Client Key", "sha256")
        client_final = f"c=biws,r={attributes['r']}"
        auth_message = f"{self._client_first},{server_first},{client_final}".encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), auth_message, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        return messages.message(b"p", f"{client_final},p={base64.b64encode(proof).decode()}".encode())
