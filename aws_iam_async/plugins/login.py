"""Logins with secrets that are cached: when one is repeated, and the cache for plugins that read a secret store."""

from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from aws_iam_async.errors import AwsIamError, ConfigurationError
from aws_iam_async.refresh_ahead import Reading, ReadingCache, wall_clock

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Result = TypeVar("Result")


async def log_in(
    get: Callable[[], Awaitable[tuple[Value, bool]]],
    dial: Callable[[Value], Awaitable[Result]],
    login_rejected: Callable[[BaseException], bool],
    reject: Callable[[Value], bool],
    add_notes: Callable[[Exception, Value], object] = lambda _error, _secret: None,
) -> Result:
    """Log in with a cached secret: the rule for when a login is repeated.

    ``get`` returns the secret, and whether it was read for this very call. If the server rejects one that was not,
    ``reject`` drops it, and the login is repeated once if it returns that there may be another. Otherwise, and the
    second time, the error of ``dial`` is raised, with notes.
    """
    repeated = False
    while True:
        secret, just_read = await get()
        try:
            return await dial(secret)
        except Exception as error:
            if not login_rejected(error):
                raise
            if repeated or just_read or not reject(secret):
                add_notes(error, secret)
                raise
        repeated = True


class RefreshAheadCache(Generic[Key, Value]):
    """A cache for plugins that log in with secrets of a secret store. Any number of callers share one read.

    A value is renewed in the background when it is used late in its life. It is served while the store fails, until it
    expires. After a rejected login it is read again, at most every 10 s. The cache may be used from several event
    loops, each of which has values of its own. It holds the last 256 keys on each loop.

    Args:
        read: An async function that gets a key and returns a :class:`Reading`. It is cancelled when its last caller is,
            or after 60 s. Its errors reach all callers that wait: each gets a copy, and those that are no
            :class:`~aws_iam_async.AwsIamError` become one that names only their class.
        clock: Returns the seconds since the epoch, for tests.

    Raises:
        ConfigurationError: ``read`` is not a function.

    Keys are hashable, and their ``repr`` is shown in errors and logs. So a key must not hold a secret.
    """

    def __init__(
        self, read: Callable[[Key], Awaitable[Reading[Value]]], *, clock: Callable[[], float] = wall_clock
    ) -> None:
        if not callable(read):
            raise ConfigurationError(f"read must be an async function, not {type(read).__name__}")
        self._readings = ReadingCache(read, clock=clock)

    async def get(self, key: Key) -> Value:
        """Return the value of a key, and wait only if there is none to use.

        Args:
            key: What to read.

        Raises:
            AwsIamError: It could not be read, or this cache is closed.
        """
        return (await self._open_readings().get(key)).value

    async def log_in(
        self,
        key: Key,
        dial: Callable[[Value], Awaitable[Result]],
        login_rejected: Callable[[BaseException], bool],
    ) -> Result:
        """Connect with the value of a key. If the server rejects an old value, read it again and connect once more.

        Args:
            key: What to read.
            dial: Connects with the value: ``call_next`` with the value in the request. It may add notes to its errors.
            login_rejected: Tells a rejected login from other errors: ``request.login_rejected``.

        Returns:
            What ``dial`` returns.

        Raises:
            AwsIamError: The value could not be read, or this cache is closed.
            Exception: An error of ``dial``.
        """
        cache = self._open_readings()

        async def get() -> tuple[Reading[Value], bool]:
            before = cache.latest(key)
            reading = await cache.get(key)
            return reading, reading is not before

        return await log_in(
            get,
            lambda reading: dial(reading.value),
            login_rejected,
            lambda reading: cache.latest(key) is not reading or cache.reread(key),
        )

    async def run_in_thread(self, key: Key, read: Callable[[], Result]) -> Result:
        """Run a blocking function for the read of a key in a thread. A key never has two threads on one event loop.

        A thread goes on when its callers are cancelled, and the next read of the key gets the result.

        Args:
            key: What to read.
            read: The function. It must end by itself within 60 s.

        Returns:
            What the function returns.

        Raises:
            Exception: What the function raises.
        """
        return await self._readings.run_in_thread(key, read)  # it may be closed by now

    async def aclose(self) -> None:
        """Stop renewals in the background. Callers that wait for a value still get it; others raise an error."""
        await self._readings.aclose()

    def _open_readings(self) -> ReadingCache[Key, Value]:
        if self._readings.closed:
            raise AwsIamError("this RefreshAheadCache is closed: use it while it is open")
        return self._readings
