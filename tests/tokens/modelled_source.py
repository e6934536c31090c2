"""A credentials source that a model-based test holds back, rotates and breaks, and that knows what it has given."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aws_iam_async.credentials.credentials import Credentials
from aws_iam_async.credentials.reading import READ_LIMIT
from aws_iam_async.credentials.source import CredentialsSource, source


@dataclass(eq=False)
class Call:
    """One read that is under way."""

    rejections: int
    answer: asyncio.Future[bool]
    cleaned_up: asyncio.Future[None] | None = None


@dataclass(eq=False)
class ModelledSource:
    """One identity as the outside knows it.

    Attributes:
        life: For how long new credentials work; they are given out again until they have expired or are rotated.
        given: The last credentials that were given and had not expired by then.
        works: Whether reads succeed; ``None`` holds them back until they are answered one by one.
        rejections: Rejected logins for which the credentials have to be read anew.
        answered: Those among them after which a read began that has ended by now.
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
    answered: int = 0
    running: int = 0
    most_at_once: int = 0
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.identity: CredentialsSource = source(credentials=self.load)

    async def load(self) -> Credentials:
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        loop = asyncio.get_running_loop()
        given_up_at = loop.time() + READ_LIMIT
        call = Call(self.rejections, loop.create_future())
        self.calls.append(call)
        try:
            works = await call.answer if self.works is None else self.works
        except asyncio.CancelledError:
            task = asyncio.current_task()
            # Not if the last waiter left as well.
            given_up = loop.time() >= given_up_at and task is not None and task.cancelling() == 1
            if self.cleans_up_slowly:
                call.cleaned_up = loop.create_future()
                await call.cleaned_up
            if given_up:  # which is a failure like any other
                self.answered = max(self.answered, call.rejections)
            raise
        finally:
            self.calls.remove(call)
            self.running -= 1
        self.answered = max(self.answered, call.rejections)
        if not works:
            raise OSError("endpoint is down")
        if self.key is None or not works_at(self.key, self.clock()):
            self.rotate()
            expires = None if self.life is None else datetime.fromtimestamp(self.clock() + self.life, UTC)
            self.key = Credentials(f"{self.name}{self.serial}", f"secret{self.name}{self.serial}", None, expires)
        if works_at(self.key, self.clock()):
            self.given = self.key
        return self.key

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
    def to_be_read_anew(self) -> bool:
        """Whether what was given is not to be trusted before it has been read anew."""
        return self.answered < self.rejections

    def usable(self) -> bool:
        return self.given is not None and works_at(self.given, self.clock())


def works_at(credentials: Credentials, now: float) -> bool:
    return credentials.expires_at is None or now < credentials.expires_at.timestamp()
