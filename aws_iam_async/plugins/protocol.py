"""The plugin protocol."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeAlias, runtime_checkable

from aws_iam_async.request import ConnectRequest

ConnectNext: TypeAlias = Callable[[ConnectRequest], Awaitable[Any]]
"""The rest of the chain: the next plugin, and finally the driver."""


@runtime_checkable
class Plugin(Protocol):
    """A layer around every physical connection, single or in a pool.

    A plugin may also have

    * ``option_names``: the names of the options that it owns (a collection of ``str``). Their values are in
      ``request.options``;
    * ``own_login``: for a plugin that logs in with a secret of its own, the reason why a ``password`` is ignored. A
      chain has at most one such plugin;
    * ``async check(request)``: called once before a pool is created, to refuse a wrong option early. It raises
      :class:`~aws_iam_async.ConfigurationError`;
    * ``async aclose()``: called when its manager closes;
    * ``statement_failed(request, error)`` and ``async must_retire(request, connection)``, both or neither, for pools
      and SQLAlchemy engines. The first is called after each failed statement, with the driver's exception. If it
      returns ``True``, the second is called when the connection is back in its pool, with the driver's idle connection.
      If that returns ``True``, the pool replaces all connections that it has: idle ones at once, and borrowed ones when
      they come back. The caller gets the driver's exception in any case.
    """

    async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:
        """Make one physical connection.

        Args:
            request: The description of the connection.
            call_next: The rest of the chain. Call it with ``request`` or with ``request.replace(...)``, as often as
                needed. Each call dials once.

        Returns:
            The result of ``call_next``, or a replacement for it.

        Raises:
            WrongServerError: The plugin refuses the server. The connection is closed, and the next host is tried. After
                the last host all are tried again after about half a second, until the time limit of the attempt.
        """
        ...
