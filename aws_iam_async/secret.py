"""Text that must not be shown."""


class Secret(str):
    """A ``str`` for drivers and signers whose ``repr`` is redacted.

    Tracebacks with locals, dataclass and namedtuple reprs, debuggers and ``%r`` in log calls all go through ``repr``.
    Whoever asks for the text itself (``str()``, ``encode()``) gets it: drivers must be able to.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'**********'" if self else "''"
