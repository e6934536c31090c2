"""A credentials source that a model-based test holds back, rotates and breaks, and that knows what it has given."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aws_iam_async import Credentials
from aws_iam_async.credentials.source import CredentialsSource, credentials_source
from tests.tokens.stepped_loop import SteppedLoop

READ_LIMIT = 60.0  # seconds, after which a read is given up


@dataclass(eq=False)
class Call:
    """One read that is under way."""

    rejections: int
    certain_rejections: int
    task: "asyncio.Task[object]"
    answer: asyncio.Future[bool]
    given_up_at: float
    cleaned_up: asyncio.Future[None] | None = None


@dataclass(eq=False)
class ModelledSource:
    """One identity as the outside knows it.

    Attributes:
        life: For how long new credentials work; they are given out again until they have expired or are rotated.
        given: The last credentials that were given and had not expired by then.
        works: Whether reads succeed; ``None`` holds them back until they are answered one by one.
        rejections: Rejected logins for which the credentials may be read again.
        certain_rejections: Those among them for which they have to be.
        answered: Those rejections after which a read began that has ended by now.
        certainly_answered: Those certain ones after which one did.
        most_at_once: The maximum number of concurrent reads, without the abandoned ones.
    """

    name: str
    clock: Callable[[], float]
    works: bool | None = True
    life: float | None = 3600.0
    cleans_up_slowly: bool = False
    key: Credentials | None = None
    given: Credentials | None = None
    serial: int = 0
    rejections: int = 0
    certain_rejections: int = 0
    answered: int = 0
    certainly_answered: int = 0
    most_at_once: int = 0
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.identity: CredentialsSource = credentials_source(credentials=self.load)

    async def load(self) -> Credentials:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SteppedLoop)
        task = asyncio.current_task()
        assert task is not None
        given_up_at = loop.time_of_previous_round + READ_LIMIT  # the task that runs this was made in that round
        call = Call(self.rejections, self.certain_rejections, task, loop.create_future(), given_up_at)
        self.calls.append(call)
        self.most_at_once = max(self.most_at_once, sum(not other.task.cancelling() for other in self.calls))
        try:
            works = await call.answer if self.works is None else self.works
        except asyncio.CancelledError:
            self.certainly_answered = self.certain_answers(loop.time())
            if self.cleans_up_slowly:
                call.cleaned_up = loop.create_future()
                await call.cleaned_up
            raise
        finally:
            self.calls.remove(call)
        self.answer(call)
        if not works:
            raise OSError("endpoint is down")
        if self.key is None or not works_at(self.key, self.clock()):
            self.rotate()
            expires = None if self.life is None else datetime.fromtimestamp(self.clock() + self.life, UTC)
            self.key = Credentials(f"{self.name}{self.serial}", f"secret{self.name}{self.serial}", None, expires)
        if works_at(self.key, self.clock()):
            self.given = self.key
        return self.key

    def answer(self, call: Call) -> None:
        self.answered = max(self.answered, call.rejections)
        self.certainly_answered = max(self.certainly_answered, call.certain_rejections)

    def certain_answers(self, now: float) -> int:
        """``certainly_answered``, with the reads that are given up by now. Their tasks may not have noticed yet.

        To be given up is a failure like any other, unless the last waiter left just then.
        """
        given_up = (call.certain_rejections for call in self.calls if now >= call.given_up_at)
        return max(self.certainly_answered, *given_up, 0)

    def rotate(self) -> None:
        self.serial += 1
        self.key = None

    def answer_all(self, *, works: bool) -> None:
        for call in self.calls:
            if not call.answer.done():
                call.answer.set_result(works)
            if call.cleaned_up is not None and not call.cleaned_up.done():
                call.cleaned_up.set_result(None)

    @property
    def may_be_read_again(self) -> bool:
        """Whether the credentials may be untrusted until the next read."""
        return self.answered < self.rejections

    def usable(self, seconds: float = 0.0) -> bool:
        """Whether what was given works, and for so long."""
        return self.given is not None and works_at(self.given, self.clock() + seconds)


def works_at(credentials: Credentials, now: float) -> bool:
    return credentials.expires_at is None or now < credentials.expires_at.timestamp()
