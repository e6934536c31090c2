"""What a manager counts, and what telemetry hooks into."""

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, NamedTuple


class Counters:
    """The counts of one manager or token service, over all its loops; see :class:`Statistics`.

    Without a GIL a count may be missed.
    """

    def __init__(self) -> None:
        self.connects = self.failures = self.wrong_servers = self.retirements = 0
        self.generations = self.hits = self.waits = 0
        self.wait_seconds = 0.0
        self.refreshes = self.refresh_failures = self.rejections = 0
        self.credentials_loads = self.credentials_failures = 0


class Hooks:
    """What telemetry does around the work of one token service: nothing by default."""

    read: Callable[[Any], AbstractContextManager[object]] = contextlib.nullcontext  # gets the CredentialsSource
    generation: Callable[[Any], AbstractContextManager[object]] = contextlib.nullcontext  # gets the TokenKey
    rejection: Callable[[Any], object] = bool  # called with the TokenKey, in the task that logs in
    retirement: Callable[[Any], object] = bool  # called with the ConnectRequest of a connection that caused one


class Statistics(NamedTuple):
    """What happened so far, in all event loops: a snapshot for monitoring and alerting.

    Attributes:
        connects: Physical connections that were made; 0 for a token provider, which makes none.
        failures: Connection attempts with an error that reached the caller or the driver's pool. A cancelled attempt
            is neither a success nor a failure.
        wrong_servers: Connections that were closed at once, because a plugin refused the server: it was a reader and
            not the writer, for example.
        retirements: Times all connections of a pool were replaced, because a plugin found that their server changed.
        generations: Tokens signed.
        hits: Tokens served from the cache.
        waits: Calls that had to wait for credentials.
        wait_seconds: The total time of these waits, in seconds.
        refreshes: Tokens replaced ahead of their expiry.
        refresh_failures: Reads of credentials that failed while the present credentials stayed in use.
        rejections: Tokens dropped because a server rejected them.
        credentials_loads: Times credentials were read.
        credentials_failures: Reads that failed.
        live_tokens: Tokens in the cache now.
        next_token_expiry: When the first of them expires, in UTC; ``None`` without tokens.
        next_credentials_expiry: When the first of the present credentials expires, in UTC; ``None`` if none does.
    """

    connects: int
    failures: int
    wrong_servers: int
    retirements: int
    generations: int
    hits: int
    waits: int
    wait_seconds: float
    refreshes: int
    refresh_failures: int
    rejections: int
    credentials_loads: int
    credentials_failures: int
    live_tokens: int
    next_token_expiry: datetime | None
    next_credentials_expiry: datetime | None

    def as_dict(self) -> dict[str, float | None]:
        """Return the attributes by name, for ``json.dumps()`` or metrics. Times are in seconds since the epoch."""
        return {
            name: value.timestamp() if isinstance(value, datetime) else value for name, value in self._asdict().items()
        }
