"""Finds traces of a token in bytes: the whole token, a part of it, or a hash."""

import hashlib
from collections.abc import Iterator

from tests.attacks.hostile_server import SALT, Victim

WINDOW = 16


def trace(token: str, user: str, data: bytes, *, secret_from: str = "?") -> str | None:
    """Say what of the token is in the data; ``None`` if nothing is.

    Args:
        token: The token.
        user: The database user that it was signed for.
        data: Where to look.
        secret_from: Where in the token its secret begins. Not with the host name, which TLS itself shows (SNI).
    """
    query = token.partition(secret_from)[2].encode()
    assert len(query) > WINDOW
    for at in range(len(query) - WINDOW + 1):
        if query[at : at + WINDOW] in data:
            return f"{WINDOW} bytes of it, from {at}"
    for name, digest in _hashes(token.encode(), user.encode()):
        if digest in data:
            return name
    return None


def _hashes(token: bytes, user: bytes) -> Iterator[tuple[str, bytes]]:
    for secret in (token, token + b"\0", token + user):
        for algorithm in (hashlib.md5, hashlib.sha1, hashlib.sha256):
            once = algorithm(secret)
            yield algorithm.__name__, once.digest()
            yield f"{algorithm.__name__} in hexadecimal", once.hexdigest().encode()
    yield (
        "PostgreSQL's MD5",
        hashlib.md5(hashlib.md5(token + user).hexdigest().encode() + SALT[:4]).hexdigest().encode(),
    )
    sha1 = hashlib.sha1(token).digest()
    yield "mysql_native_password", _xor(sha1, hashlib.sha1(SALT + hashlib.sha1(sha1).digest()).digest())
    sha256 = hashlib.sha256(token).digest()
    for salt in (SALT, SALT + b"\0"):  # aiomysql 0.3.2 takes the zero byte at the end of an auth switch for salt
        yield "caching_sha2_password", _xor(sha256, hashlib.sha256(hashlib.sha256(sha256).digest() + salt).digest())


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def described(victim: Victim) -> str:
    """Say what the client sent in plaintext, if it is nothing but the request for TLS and TLS records."""
    rest = bytes(victim.on_the_wire)
    said = []
    if rest and rest[0] != 0x16:  # TLS may also come first
        (size,) = victim.requests_for_tls
        rest = rest[size:]
        said.append("request for TLS")
    while rest:
        assert rest[0] in {0x14, 0x15, 0x16, 0x17}, rest[:100]
        assert rest[1] == 3, rest[:100]
        rest = rest[5 + int.from_bytes(rest[3:5]) :]
        if "TLS" not in said:
            said.append("TLS")
    return ", ".join(said) or "nothing"
