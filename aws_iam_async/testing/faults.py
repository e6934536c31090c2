"""Faults that tests can switch on in the emulator."""

import asyncio
import threading
from collections import Counter
from enum import StrEnum


class Stage(StrEnum):
    """The points of a login at which the emulator can delay or cut it, in order. Both protocols have all of them."""

    ACCEPTED = "accepted"
    """The TCP connection is open. The emulator has sent nothing."""
    TLS_AGREED = "tls-agreed"
    """Client and emulator agreed on TLS. The handshake has not begun."""
    TLS_DONE = "tls-done"
    """The TLS handshake is complete. The emulator has not requested a password."""
    TOKEN_RECEIVED = "token-received"  # noqa: S105 - the name of a stage, not a secret
    """The emulator has received the token. The client is waiting for the result."""
    LOGGED_IN = "logged-in"
    """The client has received the success message. The server may not yet accept queries."""


class CertificateKind(StrEnum):
    """The kind of certificate that the emulator presents."""

    VALID = "valid"
    """Issued by the emulator's authority for the emulator's host."""
    EXPIRED = "expired"
    """Like ``VALID``, but expired one day ago."""
    NOT_YET_VALID = "not-yet-valid"
    """Like ``VALID``, but valid from tomorrow."""
    OTHER_HOST = "other-host"
    """Issued by the emulator's authority for another RDS endpoint."""
    UNTRUSTED = "untrusted"
    """For the emulator's host, but issued by an authority with the same name and another key."""


class CutError(ConnectionAbortedError):
    """Raised to close a connection because of `Faults.cut`."""


class Faults:
    """The fault switches of an emulator. They can be changed at any time and from any thread.

    Setting any other attribute raises ``AttributeError``, because a misspelled fault would test nothing.

    Attributes:
        max_token_age (float | None): Refuse valid tokens that are older than this many seconds. Default: None, tokens
            are accepted for their full lifetime of 900 seconds.
        throttle (int | None): The number of new tokens that may log in per second, by the emulator's clock. Tokens that
            logged in before are exempt. RDS allows about 200 ("Limitations for IAM database authentication", Amazon RDS
            User Guide). Default: None, no limit.
        offer_tls (bool): Whether the emulator offers TLS. Without TLS it refuses every login. Default: True.
        certificate (CertificateKind): The certificate to present in the TLS handshake. Default:
            ``CertificateKind.VALID``.
        password_users (set[str]): The users without rds_iam (PostgreSQL) or AWSAuthenticationPlugin (MySQL). The
            emulator requests their passwords instead of tokens, as it does for users that do not exist. Default: none.
    """

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
        """Switch all faults off."""
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
        """Refuse the next logins with valid tokens. Logins with invalid tokens do not count.

        Args:
            count: The number of logins to refuse. It replaces the number of an earlier call.
        """
        with self._lock:
            self._rejections = count

    def cut(self, stage: Stage, *, times: int = 1) -> None:
        """Close the next connections that reach a stage. The client receives no error message.

        Args:
            stage: The stage at which to close them.
            times: The number of connections to close. It replaces the number of an earlier call for this stage.

        Raises:
            ValueError: There is no such stage.
        """
        with self._lock:
            self._cuts[Stage(stage)] = times

    def delay(self, stage: Stage, seconds: float) -> None:
        """Delay every login at a stage.

        Args:
            stage: The stage at which logins wait.
            seconds: The delay in seconds. 0 ends the delay. ``math.inf`` emulates a server that never answers.

        Raises:
            ValueError: There is no such stage.
        """
        with self._lock:
            self._delays[Stage(stage)] = seconds

    def take_rejection(self) -> bool:
        """Use up one rejection of `reject_next`. The emulator calls this.

        Returns:
            True if a rejection was left.
        """
        with self._lock:
            is_rejected = self._rejections > 0
            self._rejections = max(self._rejections - 1, 0)
        return is_rejected

    async def reach(self, stage: Stage) -> None:
        """Apply the faults of a stage: the delay, then the cut. The emulator calls this.

        Args:
            stage: The stage that the login has reached.

        Raises:
            CutError: The connection must be closed here.
        """
        if seconds := self._delays.get(stage, 0):
            await asyncio.sleep(seconds)
        with self._lock:
            if not self._cuts[stage]:
                return
            self._cuts[stage] -= 1
        raise CutError(f"connection cut at stage {stage}, as set by Faults.cut()")
