"""What ``connect()`` and ``create_pool()`` return: to be awaited, or entered with ``async with``."""

from collections.abc import Callable, Coroutine, Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

__all__ = ["Opening"]

T = TypeVar("T")


class Opening(Coroutine[Any, Any, T]):
    """A connection or pool in the making.

    ``await`` it, hand it to ``asyncio.create_task`` or ``TaskGroup.create_task``, or use it as
    ``async with ... as``, which closes what was opened in the driver's own way.

    Args:
        coroutine: Opens.
        close: Closes; called with ``how``, what was opened, and whether an exception is under way.
        how: What ``close`` has to know beside that.
    """

    __slots__ = ("_close", "_coroutine", "_how", "_opened")

    def __init__(
        self, coroutine: Coroutine[Any, Any, T], close: Callable[..., Coroutine[Any, Any, None]], *how: Any
    ) -> None:
        self._coroutine = coroutine
        self._close = close
        self._how = how

    def __await__(self) -> Generator[Any, Any, T]:
        return self._coroutine.__await__()

    if not TYPE_CHECKING:  # which refuse it

        def __enter__(self) -> NoReturn:
            raise TypeError("use 'async with': connections and pools are opened and closed asynchronously")

        def __exit__(self, *_: object) -> NoReturn:
            raise AssertionError("nothing was entered")

    async def __aenter__(self) -> T:
        self._opened = await self._coroutine
        return self._opened

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._close(*self._how, self._opened, exc_type is not None)

    if not TYPE_CHECKING:  # to a type checker there would be an attribute of any name

        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(
                f"{name}: nothing is opened yet; write 'await' before it, or use it with 'async with'",
                name=name,
                obj=self,
            )

    def send(self, value: Any) -> Any:
        """Part of the coroutine protocol."""
        return self._coroutine.send(value)

    def throw(self, *args: Any) -> Any:
        """Part of the coroutine protocol."""
        return self._coroutine.throw(*args)

    def close(self) -> None:
        """Part of the coroutine protocol: give up before it was awaited."""
        self._coroutine.close()
