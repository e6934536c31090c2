"""What a server may say instead of agreeing on TLS."""

from typing import Literal, TypeAlias

__all__ = ["Kind", "UnexpectedAnswerError"]

Kind: TypeAlias = Literal["no-tls", "other-protocol", "server-error"]


class UnexpectedAnswerError(Exception):
    """The server does not agree on TLS.

    Args:
        message: What it says.
        kind: It offers none; it does not speak the protocol; or it reports an error instead.
        number: The error's number, if it has one.
        speaks: The protocol that it does speak, as far as it can be told.
    """

    def __init__(self, message: str, kind: Kind, *, number: int | None = None, speaks: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.number = number
        self.speaks = speaks
