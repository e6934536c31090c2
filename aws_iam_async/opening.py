"""What ``connect()`` and ``create_pool()`` return: awaitable, and an asynchronous context manager."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, TypeVar

from aws_iam_async.errors import AwsIamError

if TYPE_CHECKING:
    from types import TracebackType

    from aws_iam_async.options.typed import Connect, CreatePool

T = TypeVar("T")
Close: TypeAlias = Callable[..., Awaitable[None]]


# For type checkers: one overload for each driver.
def typed_connect(function: Callable[..., Any]) -> "Connect":
    return function


def typed_create_pool(function: Callable[..., Any]) -> "CreatePool":
    return function


class Opening(Coroutine[Any, Any, T]):
    """A connection or a pool that is being opened.

    Await it, pass it to ``asyncio.create_task()`` or ``TaskGroup.create_task()``, or use it as ``async with ... as``,
    which closes the connection or pool in the driver's own way.

    After opening, awaiting it again returns the same object, and attribute access goes to that object.

    Args:
        coroutine: Opens the connection or pool. It returns it, and a function that closes it.
    """

    __slots__ = ("_close", "_coroutine", "_lock", "_opened")

    def __init__(self, coroutine: Coroutine[Any, Any, tuple[T, Close]]) -> None:
        self._coroutine = coroutine
        self._opened: T | None = None
        self._lock = asyncio.Lock()  # for several tasks that await it at once

    def __await__(self) -> Generator[Any, Any, T]:
        return self.__aenter__().__await__()

    async def __aenter__(self) -> T:
        async with self._lock:
            if self._opened is None:
                if inspect.getcoroutinestate(self._coroutine) == inspect.CORO_CLOSED:
                    raise AwsIamError("opening failed or was cancelled before: call connect() or create_pool() again")
                self._opened, self._close = await self._coroutine
        return self._opened

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: "TracebackType | None"
    ) -> None:
        await self._close(self._opened, failed=exc_type is not None)

    def _step(self, function: Callable[..., Any], *args: Any) -> Any:
        try:
            return function(*args)
        except StopIteration as stop:
            self._opened, self._close = stop.value
        raise StopIteration(self._opened)

    if not TYPE_CHECKING:  # for a type checker every name would be an attribute

        def __getattr__(self, name: str) -> Any:
            if self._opened is not None:
                return getattr(self._opened, name)
            raise AttributeError(
                f"{name}: not opened yet; write 'await' before it, or use it with 'async with'", name=name, obj=self
            )

        def __enter__(self) -> NoReturn:
            self._coroutine.close()  # else Python also warns that it was never awaited
            raise TypeError("use 'async with': connections and pools are opened and closed asynchronously")

        def __exit__(self, *_: object) -> NoReturn: ...

    def send(self, value: Any) -> Any:
        """Part of the coroutine protocol."""
        return self._step(self._coroutine.send, value)

    def throw(self, *args: Any) -> Any:
        """Part of the coroutine protocol."""
        return self._step(self._coroutine.throw, *args)

    def close(self) -> Any:
        """Discard an opening that was not awaited, or call ``close()`` of what was opened."""
        return (self._coroutine if self._opened is None else self._opened).close()  # type: ignore[union-attr]  # connections and pools have it
