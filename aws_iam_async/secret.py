"""Strings that must not be shown."""

from collections.abc import Callable, Iterator
from typing import Any, Self


class Secret(str):
    """A ``str`` for drivers and signers with a redacted ``repr``.

    Tracebacks with locals, reprs of dataclasses and tuples, debuggers and ``%r`` in log calls all go through ``repr``.
    Some of them cut a long string first, such as rich 15, so what is cut out of a secret is a secret as well. ``str()``
    and ``encode()`` return the secret itself, because drivers need it. What is composed with it is no secret.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'**********'" if self else "''"

    def __iter__(self) -> Iterator[Self]:
        return map(type(self), super().__iter__())


def _cutting(method: Callable[..., Any]) -> Callable[..., Any]:
    def cut(self: Secret, *args: Any, **keywords: Any) -> Any:
        found = method(self, *args, **keywords)
        return type(self)(found) if isinstance(found, str) else type(found)(map(type(self), found))

    return cut


_CUTTING_METHODS = (
    "__getitem__ capitalize casefold center expandtabs ljust lower lstrip partition removeprefix removesuffix replace"
    " rjust rpartition rsplit rstrip split splitlines strip swapcase title translate upper zfill"
)
for _name in _CUTTING_METHODS.split():
    setattr(Secret, _name, _cutting(getattr(str, _name)))


def redacted(value: Any) -> Any:
    """Return a plain ``str`` as a :class:`Secret`, and anything else as it is."""
    return Secret(str.__str__(value)) if isinstance(value, str) and not isinstance(value, Secret) else value


class Bearer(Secret):
    """A secret that is valid only as plaintext, such as an IAM token: drivers must not hash it.

    A static password is different: the server knows its hash.
    """

    __slots__ = ()
