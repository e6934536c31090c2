"""Strings that must not be shown."""


class Secret(str):
    """A ``str`` for drivers and signers with a redacted ``repr``.

    Tracebacks with locals, reprs of dataclasses and tuples, debuggers and ``%r`` in log calls all go through ``repr``.
    ``str()`` and ``encode()`` return the secret itself, because drivers need it.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'**********'" if self else "''"


class Bearer(Secret):
    """A secret that is valid only as plaintext, such as an IAM token: drivers must not hash it.

    A static password is different: the server knows its hash.
    """

    __slots__ = ()
