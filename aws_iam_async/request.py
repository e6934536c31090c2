"""What one physical connection is asked to be: the only thing that plugins and drivers see."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Self

from aws_iam_async.frozen import Frozen
from aws_iam_async.tls import Tls

__all__ = ["ConnectRequest"]

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def _never(_error: BaseException) -> bool:
    return False


class ConnectRequest(Frozen):
    """An immutable description of one physical connection.

    A plugin reads it, and passes on either the same object or a changed copy made by :meth:`replace`.

    Attributes:
        driver: The driver's name, ``"asyncpg"`` or ``"aiomysql"``.
        host: The host to dial; ``None`` leaves it to the driver (asyncpg then looks for a unix socket).
        port: The port to dial, the driver's default already filled in.
        user: The database user; ``None`` leaves it to the driver.
        database: The database name; ``None`` leaves it to the driver.
        password: The secret to log in with, redacted in ``repr``.
        tls: How the connection is to be protected. ``request.tls.secured()`` marks the secret as one for TLS only.
        options: The values of the options that plugins own (their ``option_names``).
        driver_options: The driver's own keywords, passed through unchanged.
        alternates: Further ``(host, port)`` pairs of a PostgreSQL DSN with several hosts. Each is tried through all
            plugins with a request of its own, in which this is empty.
        login_rejected: Tells whether an exception of this driver means that the server refused the login.
    """

    driver: str
    host: str | None = None
    port: int | None = None
    user: str | None = None
    database: str | None = None
    password: str | None = None
    tls: Tls = Tls()
    options: Mapping[str, Any] = _NOTHING
    driver_options: Mapping[str, Any] = _NOTHING
    alternates: tuple[tuple[str, int], ...] = ()
    login_rejected: Callable[[BaseException], bool] = staticmethod(_never)

    def __init__(  # noqa: PLR0913 - all that a connection has
        self,
        *,
        driver: str,
        host: str | None = None,
        port: int | None = None,
        user: str | None = None,
        database: str | None = None,
        password: str | None = None,
        tls: Tls = Tls(),  # noqa: B008 - it does not change
        options: Mapping[str, Any] = _NOTHING,
        driver_options: Mapping[str, Any] = _NOTHING,
        alternates: tuple[tuple[str, int], ...] = (),
        login_rejected: Callable[[BaseException], bool] = _never,
    ) -> None:
        vars(self).update(
            driver=driver,
            host=host,
            port=port,
            user=user,
            database=database,
            password=password,
            tls=tls,
            options=options,
            driver_options=driver_options,
            alternates=alternates,
            login_rejected=login_rejected,
        )

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some attributes changed.

        Args:
            **changes: New values by attribute name.

        Raises:
            TypeError: There is no attribute of that name.
        """
        # Once or twice for each connection, so not by way of the constructor.
        changed = object.__new__(type(self))
        before, after = self.__dict__, changed.__dict__
        after |= before
        after |= changes
        if len(after) > len(before):
            raise TypeError(f"a request has no {', '.join(changes.keys() - before.keys())}")
        return changed

    def __repr__(self) -> str:
        password = "None" if self.password is None else "'**********'"
        # Option values are the caller's: a plugin's may be secrets, so only their names are shown.
        return (
            f"<ConnectRequest {self.driver} {self.user}@{self.host}:{self.port}/{self.database} password={password}"
            f" options={sorted({**self.options, **self.driver_options})}>"
        )
