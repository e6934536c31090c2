"""Faults on demand: what goes wrong in the emulator when a test wants it to."""

import asyncio
import threading
from collections import Counter
from enum import StrEnum


class Stage(StrEnum):
    """The points of a login at which it can be delayed or cut, in their order; the same for both protocols."""

    ACCEPTED = "accepted"
    """TCP is up, nothing was sent."""
    TLS_AGREED = "tls-agreed"
    """Both sides want TLS; its handshake has not begun."""
    TLS_DONE = "tls-done"
    """The client has not yet been asked for its password."""
    TOKEN_RECEIVED = "token-received"  # noqa: S105 - the name of a stage
    """The token is here; the client waits for the verdict."""
    LOGGED_IN = "logged-in"
    """The client has heard that it is in, but the server may not yet be ready for queries."""


class CertificateKind(StrEnum):
    """Which certificate the emulator presents."""

    VALID = "valid"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    OTHER_HOST = "other-host"
    """From the same authority, for another RDS endpoint."""
    UNTRUSTED = "untrusted"
    """For the right name, from an authority of the same name with another key."""


class CutError(ConnectionAbortedError):
    """The emulator cuts this connection because a test asked for it."""


class Faults:
    """The switches. Every one may be set at any time and from any thread; ``reset`` puts all of them back.

    A name that is none of them is an ``AttributeError``, for a misspelt fault would be a test of nothing.

    Attributes:
        max_token_age: Refuse valid tokens older than this many seconds. Default: None, they live their full 900 s.
        throttle: How many distinct tokens a second may log in, by the emulator's clock. Logins with a token that got
            in before are exempt. RDS allows about 200 ("Limitations for IAM database authentication", Amazon RDS
            User Guide). Default: None, any number.
        offer_tls: False makes the server one without TLS. It still refuses to log anyone in.
        certificate: What to present in the TLS handshake.
        password_users: Users who are not set up for IAM: without rds_iam (PostgreSQL) or AWSAuthenticationPlugin
            (MySQL). Their passwords are asked for, not tokens, as RDS also does with users who do not exist.
    """

    # Nothing else can be set: see above.
    __slots__ = (
        "_cuts",
        "_delays",
        "_lock",
        "_rejections",
        "certificate",
        "max_token_age",
        "offer_tls",
        "password_users",
        "throttle",
    )

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Turn every fault off."""
        with self._lock:
            self.max_token_age: float | None = None
            self.throttle: int | None = None
            self.offer_tls = True
            self.certificate = CertificateKind.VALID
            self.password_users: set[str] = set()
            self._rejections = 0
            self._cuts: Counter[Stage] = Counter()
            self._delays: dict[Stage, float] = {}

    def reject_next(self, count: int = 1) -> None:
        """Refuse the next ``count`` logins whose token is valid, as if it were not."""
        with self._lock:
            self._rejections = count

    def cut(self, stage: Stage, *, times: int = 1) -> None:
        """Close the next ``times`` connections, without a word, when they reach ``stage``.

        Raises:
            ValueError: There is no such stage.
        """
        with self._lock:
            self._cuts[Stage(stage)] = times

    def delay(self, stage: Stage, seconds: float) -> None:
        """Let every login wait at ``stage`` from now on.

        Args:
            stage: Where.
            seconds: How long; 0 for no longer, ``math.inf`` for a server that never answers.

        Raises:
            ValueError: There is no such stage.
        """
        with self._lock:
            self._delays[Stage(stage)] = seconds

    def take_rejection(self) -> bool:
        """Use up one of the rejections asked for; False when none is left."""
        with self._lock:
            self._rejections, due = max(self._rejections - 1, 0), self._rejections > 0
        return due

    async def reach(self, stage: Stage) -> None:
        """Come to ``stage`` of a login: wait as long as asked for, then go on.

        Raises:
            CutError: This connection is to be closed here.
        """
        if seconds := self._delays.get(stage, 0):
            await asyncio.sleep(seconds)
        with self._lock:
            if not self._cuts[stage]:
                return
            self._cuts[stage] -= 1
        raise CutError(f"cut at stage {stage} on demand")
