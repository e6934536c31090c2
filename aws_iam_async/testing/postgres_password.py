"""The emulator's own login to a PostgreSQL server that asks for a password.

Only for servers that a user names: those that the emulator starts trust it.
"""

import base64
import hashlib
import hmac
import secrets
import struct

from aws_iam_async.testing.postgres_messages import message
from aws_iam_async.testing.streams import MalformedMessageError

_CLEARTEXT = 3
_SASL = 10
_SASL_CONTINUE = 11
_SASL_FINAL = 12


class PasswordDialog:
    """Answers a server's authentication requests, in clear or with SCRAM-SHA-256 (RFC 5802 and 7677).

    Without channel binding, and without a look at the server's own proof: this is a local connection of a test.

    Args:
        password: The user's password on the server.
    """

    def __init__(self, password: str) -> None:
        self._password = password.encode()
        self._opening = ""

    def answer(self, request: bytes) -> bytes:
        """Return the message to send for the body of an authentication request; nothing for its last one.

        Raises:
            MalformedMessageError: The server asks for a method that the emulator does not know, or breaks its rules.
        """
        try:
            method = struct.unpack_from("!I", request)[0]
            if method == _CLEARTEXT:
                return message(b"p", self._password + b"\0")
            if method == _SASL and b"SCRAM-SHA-256" in request[4:].split(b"\0"):
                return self._open()
            if method == _SASL_CONTINUE and self._opening:
                return self._prove(request[4:].decode())
            if method == _SASL_FINAL:
                return b""
        except (ValueError, KeyError, struct.error):
            raise MalformedMessageError("an authentication request of the server that makes no sense") from None
        raise MalformedMessageError(f"the server's authentication method {method}, which the emulator does not know")

    def _open(self) -> bytes:
        # PostgreSQL takes the user's name from the StartupMessage and ignores the one here.
        self._opening = f"n=,r={base64.b64encode(secrets.token_bytes(18)).decode()}"
        text = f"n,,{self._opening}".encode()
        return message(b"p", b"SCRAM-SHA-256\0" + struct.pack("!I", len(text)) + text)

    def _prove(self, challenge: str) -> bytes:
        fields = dict(part.split("=", 1) for part in challenge.split(","))
        salted = hashlib.pbkdf2_hmac("sha256", self._password, base64.b64decode(fields["s"]), int(fields["i"]))
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        last = f"c=biws,r={fields['r']}"
        signed = f"{self._opening},{challenge},{last}".encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        return message(b"p", f"{last},p={base64.b64encode(proof).decode()}".encode())
