"""What a manager counts."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["Attempts", "CredentialsCounters", "Statistics", "TokenCounters"]


class Attempts:
    """How connects have ended so far. A cancelled one is neither a success nor a failure."""

    def __init__(self) -> None:
        self.connects = 0
        self.failures = 0


class TokenCounters:
    """What happened to tokens so far; shared by the loops of one service.

    Plain additions: with a GIL each is whole, without one a count may be missed and no harm done.
    """

    def __init__(self) -> None:
        self.generations = 0
        self.hits = 0
        self.waits = 0
        self.wait_seconds = 0.0
        self.refreshes = 0
        self.refresh_failures = 0
        self.rejections = 0


class CredentialsCounters:
    """What happened to credentials so far; shared likewise."""

    def __init__(self) -> None:
        self.loads = 0
        self.failures = 0


class Statistics(NamedTuple):
    """What happened so far, in all event loops: a view at one moment, to watch and to alert on.

    Attributes:
        connects: Physical connections that were made; 0 of a token provider, which makes none.
        failures: Attempts whose error reached the caller or the driver's pool.
        generations: Tokens signed, those of background refreshes included.
        hits: Times a token was served at once.
        waits: Times somebody had to wait for a token. What is imported for the first one is not counted.
        wait_seconds: How long they waited, all together.
        refreshes: Tokens renewed in the background.
        refresh_failures: Background renewals that failed; the old token went on being served.
        rejections: Tokens that a server rejected and that were dropped for it.
        credentials_loads: Times credentials were read.
        credentials_failures: Reads that failed.
        live_tokens: Tokens held now.
        next_token_expiry: When the first of them expires.
        next_credentials_expiry: When the first of the present credentials expires; ``None`` if none does.
    """

    connects: int
    failures: int
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
    next_token_expiry: "datetime | None"
    next_credentials_expiry: "datetime | None"
