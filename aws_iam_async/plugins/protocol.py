"""What a plugin is, and how several become one."""

import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

from aws_iam_async.request import ConnectRequest

__all__ = ["ConnectNext", "Plugin", "compose"]

ConnectNext: TypeAlias = Callable[[ConnectRequest], Awaitable[Any]]
"""The rest of the chain: the next plugin, at last the driver."""


@runtime_checkable
class Plugin(Protocol):
    """A layer around the making of every physical connection, single or in a pool.

    A plugin may also have

    * ``option_names``: the names of the options that it owns (a collection of ``str``); their values stand in
      ``request.options``;
    * ``async check(request)``: called once before a pool is made, to refuse a wrong option early; raises
      :class:`~aws_iam_async.ConfigurationError`;
    * ``async aclose()``: called when its manager closes.
    """

    async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:
        """Make one physical connection.

        Args:
            request: What is asked for.
            call_next: The rest of the chain. Call it with ``request`` or with ``request.replace(...)``, as often as
                needed; each call dials once.

        Returns:
            What ``call_next`` returned, or something in its place.
        """
        ...


def compose(plugins: Sequence[Plugin], terminal: ConnectNext) -> ConnectNext:
    """Wrap ``terminal`` in ``plugins``, the first one outermost. Cheap: it is done for each attempt to connect.

    Args:
        plugins: Outermost first.
        terminal: Dials.

    Returns:
        The whole chain as one callable.
    """
    chain = terminal
    for plugin in reversed(plugins):
        chain = functools.partial(_layer, plugin, chain)
    return chain


def _layer(plugin: Plugin, call_next: ConnectNext, request: ConnectRequest) -> Awaitable[Any]:
    return plugin.connect(request, call_next)
