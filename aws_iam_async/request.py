"""The description of one physical connection: all that plugins and drivers see."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, Self, TypeAlias

from aws_iam_async.secret import redacted
from aws_iam_async.tls import Tls

Role: TypeAlias = Literal["writer", "reader"]
"""What a server is: the one that takes writes, or one that refuses them."""


def _never(_error: BaseException) -> bool:
    return False


def _accept(_request: "ConnectRequest") -> None: ...


def _frozen(value: Any) -> Any:
    """Return a copy of dicts, lists and sets that cannot be changed, and any other value as it is."""
    if isinstance(value, dict):
        return MappingProxyType({name: _frozen(item) for name, item in value.items()})
    if type(value) in {list, tuple}:
        return tuple(map(_frozen, value))
    return frozenset(value) if type(value) is set else value


# Attributes with values that may be secret or mutable.
_PROTECTED: Mapping[str, Callable[[Any], Any]] = {
    "password": redacted,
    "options": _frozen,
    "driver_options": _frozen,
    "alternates": _frozen,
}


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ConnectRequest:
    """An immutable description of one physical connection.

    A plugin reads it, and passes on either the same object or a changed copy made by :meth:`replace`. Dicts, lists and
    sets in the options are copied and cannot be changed either: lists become tuples.

    Attributes:
        driver: The driver's name, for example ``"asyncpg"``, ``"aiomysql"`` or ``"psycopg"``.
        system: The database system, ``"postgresql"`` or ``"mysql"``.
        host: The host to dial; ``None`` leaves it to the driver (asyncpg and psycopg then look for a Unix socket).
        port: The port to dial, with the driver's default already filled in.
        user: The database user; ``None`` leaves it to the driver.
        database: The database name; ``None`` leaves it to the driver.
        password: The secret to log in with, redacted in ``repr``. For asyncpg also a function that returns it.
        tls: How to protect the connection. ``request.tls.secured()`` marks the secret as one for TLS only.
        options: The values of the options that plugins own (their ``option_names``).
        driver_options: The driver's own keywords.
        alternates: Further ``(host, port)`` pairs of a PostgreSQL DSN with several hosts. Each host goes through all
            plugins with a request of its own, in which this is empty.
        check: Raises a :class:`ConfigurationError` for a request that the driver cannot serve. A plugin may call it
            with the request that it is going to pass on, before it waits for the secret.
        login_rejected: Returns whether an exception of this driver means that the server refused the login.
        server_role: An async function that gets an idle connection of this driver, and returns ``"writer"`` or
            ``"reader"``. With ``ask=True`` it asks the server even if the server has reported its role at login.
            ``None`` if the driver has no such function.
        refuses_write: Returns whether an exception of this driver may mean that the server takes no writes.
    """

    driver: str
    system: str = ""
    host: str | None = None
    port: int | None = None
    user: str | None = None
    database: str | None = None
    password: str | Callable[[], str | Awaitable[str]] | None = None
    tls: Tls = field(default_factory=Tls)
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    driver_options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    alternates: tuple[tuple[str, int], ...] = ()
    check: Callable[["ConnectRequest"], None] = _accept
    login_rejected: Callable[[BaseException], bool] = _never
    server_role: Callable[..., Awaitable[Role]] | None = None
    refuses_write: Callable[[BaseException], bool] = _never

    def __post_init__(self) -> None:
        vars(self).update({name: protect(getattr(self, name)) for name, protect in _PROTECTED.items()})

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some attributes changed.

        Args:
            **changes: New values by attribute name.

        Raises:
            TypeError: There is no attribute of that name.
        """
        for name, value in changes.items():  # at once: a traceback with locals shows them
            if name in _PROTECTED:
                changes[name] = _PROTECTED[name](value)
        if not changes.keys() <= vars(self).keys():
            raise TypeError(f"a ConnectRequest has no attribute {min(changes.keys() - vars(self).keys())!r}")
        copy = object.__new__(type(self))
        vars(copy).update(vars(self), **changes)
        return copy

    def __repr__(self) -> str:
        password = "None" if self.password is None else "'**********'"
        # Option values may be a plugin's secrets, so only their names are shown.
        return (
            f"<ConnectRequest {self.driver} {self.user}@{self.host}:{self.port}/{self.database} password={password}"
            f" options={sorted({**self.options, **self.driver_options})}>"
        )
