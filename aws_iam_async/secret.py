"""Text that must not be shown."""


class Secret(str):
    """A ``str`` for drivers and signers whose ``repr`` is redacted.

    Tracebacks with locals, dataclass and namedtuple reprs, debuggers and ``%r`` in log calls all go through ``repr``.
    Whoever asks for the text itself (``str()``, ``encode()``) gets it: drivers must be able to.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'**********'" if self else "''"


class Bearer(Secret):
    """A secret that only counts as it is: a hash of it logs nobody in, so drivers give it to nobody who wants one.

    An IAM token is such a secret; a static password, of which servers know the hash, is not.
    """

    __slots__ = ()
