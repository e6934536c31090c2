"""Random interleavings of callers, clocks, rejections, rotations and outages against what must always hold.

A caller never gets an expired token, or one signed by another identity or with rejected credentials. There are never
two concurrent reads for one identity. A caller waits or gets an error only when nothing valid is left. No task is left
behind.
"""

import asyncio
import math
import random
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from aws_iam_async import Credentials, CredentialsError, Token, TokenError
from aws_iam_async.tokens.service import Refresh, TokenService
from aws_iam_async.tokens.sigv4 import presign
from aws_iam_async.tokens.token import TokenKey
from tests.tokens.conftest import START
from tests.tokens.keys import make_key
from tests.tokens.modelled_source import ModelledSource
from tests.tokens.stepped_loop import SteppedLoop

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("imported")]

IDENTITIES = ("AAAA", "BBBB")
USERS = ("ann", "bob")
users = st.sampled_from(USERS)
names = st.sampled_from(["AAAA", "AAAA", "AAAA", "BBBB"])  # rather one in depth than two at the surface
some_rounds = st.sampled_from([14, 0, 1, 2, 3, 5])  # 14: until nothing more can happen
LANDING = 12  # rounds of the loop, at most, from the answer of a source to the callers that wait for it
REREAD_INTERVAL = 10.0  # seconds in which one rejected login causes another read of the credentials
BACKWARDS_TOLERANCE = 5.0  # seconds by which a clock may be set back without making a token one from the future
LAST_SECONDS = 10.0  # of credentials: at most then, a caller may wait for new ones


@dataclass(eq=False)
class Waiter:
    """A caller that gets a token, and the next one if the server rejects it."""

    source: ModelledSource
    rejected: bool
    task: asyncio.Task[None] | None = None
    cancelled: bool = False
    # At some moment since it asked:
    nothing_was_valid: bool = False
    may_wait: bool = False

    def look_around(self) -> None:
        self.nothing_was_valid |= not self.source.usable()
        self.may_wait |= not self.source.usable(LAST_SECONDS) or self.source.may_be_read_again


@dataclass(eq=False)
class Rejections:
    """What rejected logins have had happen to the credentials of one source, as far as it shows outside.

    Attributes:
        possibly: The last time that a rejection perhaps caused another read.
        certainly: The last time that a rejection certainly did.
        of_all: How many certainly had by then.
    """

    possibly: float = -math.inf
    certainly: float = -math.inf
    of_all: int = 0


class Lifecycle(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.wall = START
        self.loop = SteppedLoop()
        self.loop.set_exception_handler(self.note_unhandled)
        self.sources = {name: ModelledSource(name, lambda: self.wall) for name in IDENTITIES}
        self.waiters: list[Waiter] = []
        self.served: list[tuple[TokenKey, Token]] = []
        self.rejections = {name: Rejections() for name in IDENTITIES}
        self.reading_when_set_back: set[str] = set()
        self.errors: list[CredentialsError] = []
        self.unhandled: list[Any] = []
        self.closed = False

    @initialize(
        refresh=st.sampled_from(["on_use", "background"]),
        maxsize=st.sampled_from([1, 2, 1024]),
        seed=st.integers(),
        works=st.sampled_from([None, None, True]),
        slowly=st.booleans(),
    )
    def begin(self, refresh: Refresh, maxsize: int, seed: int, works: bool | None, slowly: bool) -> None:
        for source in self.sources.values():
            source.works, source.cleans_up_slowly = works, slowly
        self.keepers = 1 if refresh == "background" else 0  # tasks that keep credentials fresh
        self.service = TokenService(
            refresh=refresh, maxsize=maxsize, clock=lambda: self.wall, random=random.Random(seed).random
        )

    @rule(user=users, name=names, callers=st.integers(1, 3), rejected=st.booleans(), rounds=some_rounds)
    def ask(self, user: str, name: str, callers: int, rejected: bool, rounds: int) -> None:
        source = self.sources[name]
        key = make_key(user, signer=source.identity)
        for _ in range(callers):
            waiter = Waiter(source, rejected)
            waiter.task = self.loop.create_task(self.log_in(waiter, key))
            self.waiters.append(waiter)
        self.step(rounds)

    async def log_in(self, waiter: Waiter, key: TokenKey) -> None:
        await self.get(waiter, key)
        if waiter.rejected and self.served and self.served[-1][0] == key:
            self.reject(*self.served[-1])
            await self.get(waiter, key)

    async def get(self, waiter: Waiter, key: TokenKey) -> None:
        source = waiter.source
        waiter.nothing_was_valid = waiter.may_wait = False
        waiter.look_around()
        # The read began when nothing was valid. After a clock change, something may be valid, and callers still join.
        patience = math.inf if source.name in self.reading_when_set_back else LANDING
        asked_in = self.loop.rounds
        try:
            token, fresh = await self.service.get(key)
        except CredentialsError as error:
            assert waiter.nothing_was_valid, "failed although there were credentials that work"
            self.errors.append(error)
        except TokenError:
            assert self.closed
        except asyncio.CancelledError:
            assert waiter.cancelled, "cancelled without a reason"
            raise
        else:
            self.check(source, key, token, fresh=fresh)
            self.served.append((key, token))
        waited = self.loop.rounds - asked_in
        assert waiter.may_wait or waited <= patience, "waited although there were credentials that work"

    def check(self, source: ModelledSource, key: TokenKey, token: Token, *, fresh: bool) -> None:
        assert token.access_key_id.startswith(source.name), "signed by another identity"
        issued = int(token.issued_at.timestamp())
        credentials = Credentials(token.access_key_id, f"secret{token.access_key_id}")
        assert token.value == presign(key, credentials, issued), "signed with another key"
        assert self.wall < issued + 900, "too old for the server"
        rejections = self.rejections[source.name]
        # One that was served before was signed before, whatever the clock said then.
        is_new = not any(token is served for _, served in self.served)
        if is_new and issued > rejections.certainly + BACKWARDS_TOLERANCE:  # it may be a little from the future
            answered = source.certain_answers(self.loop.time())
            assert answered >= rejections.of_all, "signed with credentials that had to be read again"
        if not fresh:
            assert issued - 5 <= self.wall, "from the future"
            assert self.wall < token.expires_at.timestamp() or issued == int(self.wall), "expired"

    def step(self, rounds: int) -> None:
        for _ in range(rounds):
            self.loop.step()
            self.look_around()

    @rule(
        seconds=st.sampled_from([0.5, 3, 11, 40, 300, 700, 3000]), set_by=st.sampled_from([0, 0, -7200, -600, -2, 7200])
    )
    def time_passes(self, seconds: float, set_by: float) -> None:
        """By the wall clock, which may be set, and by the one of timers, which never is."""
        self.loop.now += seconds
        self.wall += seconds + set_by
        if set_by < 0:
            self.reading_when_set_back |= {name for name, source in self.sources.items() if source.calls}
            for rejections in self.rejections.values():
                rejections.certainly = math.inf  # the times of tokens say no more which came first
        self.look_around()

    @rule(
        moment=st.sampled_from(["refresh", "token expires", "credentials expire"]),
        offset=st.sampled_from([0.0, -1.0, 1.0, 15.0]),
    )
    def time_passes_until(self, moment: str, offset: float) -> None:
        if not self.served:
            return
        key, token = self.served[-1]
        given = self.source_of(key).given
        moments = {"refresh": token.refresh_at, "token expires": token.expires_at}
        at = moments.get(moment, given.expires_at if given is not None else None)
        if at is not None and self.wall < at.timestamp() + offset:
            self.time_passes(at.timestamp() + offset - self.wall, 0.0)

    @rule(data=st.data())
    def a_login_is_rejected(self, data: st.DataObject) -> None:
        if not self.served:
            return
        key, token = data.draw(st.sampled_from(self.served[:-4:-1]), label="rejected")
        self.loop.inside(lambda: self.reject(key, token))

    def reject(self, key: TokenKey, token: Token) -> None:
        source = self.source_of(key)
        rejections = self.rejections[source.name]
        self.service.reject(key, token)
        # One in 10 seconds causes another read of the credentials, if they are those that signed the token or if no
        # newer token is cached. The test cannot always see which one it was.
        if 0 <= self.wall - rejections.certainly < REREAD_INTERVAL:
            return
        present = source.given is not None and source.given.access_key == token.access_key_id
        settled = source.usable(LAST_SECONDS) and not source.may_be_read_again
        source.rejections += 1
        if present and settled and not 0 <= self.wall - rejections.possibly < REREAD_INTERVAL:
            source.certain_rejections += 1
            rejections.certainly, rejections.of_all = self.wall, source.certain_rejections
        rejections.possibly = self.wall
        self.look_around()

    @rule(data=st.data(), name=names, everyone=st.booleans(), rounds=some_rounds)
    def waiters_are_cancelled(self, data: st.DataObject, name: str, everyone: bool, rounds: int) -> None:
        leaving = [waiter for waiter in self.waiters if waiter.source.name == name]
        if leaving and not everyone:
            leaving = [data.draw(st.sampled_from(leaving), label="cancelled")]
        for waiter in leaving:
            waiter.cancelled = True
            assert waiter.task is not None
            waiter.task.cancel()
        self.step(rounds)

    @rule(
        name=names,
        works=st.sampled_from([None, None, True, False]),
        life=st.sampled_from([-5.0, 20.0, 400.0, 3600.0, None]),
        slowly=st.booleans(),
        rotated=st.booleans(),
    )
    def the_source_changes(
        self, name: str, works: bool | None, life: float | None, slowly: bool, rotated: bool
    ) -> None:
        source = self.sources[name]
        source.works, source.life, source.cleans_up_slowly = works, life, slowly
        if rotated:
            source.rotate()

    @rule(name=names, works=st.booleans(), rounds=some_rounds)
    def the_source_answers(self, name: str, works: bool, rounds: int) -> None:
        self.sources[name].answer_all(works=works)
        self.step(rounds)

    @rule()
    def everything_comes_to_rest(self) -> None:
        before = [(source, source.works) for source in self.sources.values()]
        self.rest()
        for source, works in before:
            source.works = works
        assert not self.waiters
        assert len(asyncio.all_tasks(self.loop)) <= self.keepers, "a task was left behind"

    @invariant()
    def nothing_went_wrong(self) -> None:
        for waiter in [waiter for waiter in self.waiters if waiter.task is not None and waiter.task.done()]:
            self.waiters.remove(waiter)
            if waiter.task is not None and not waiter.task.cancelled():
                waiter.task.result()
        assert self.unhandled == []
        for source in self.sources.values():
            assert source.most_at_once <= 1, "two reads for one identity at once"
        assert len({id(error) for error in self.errors}) == len(self.errors), "one error raised to two callers"

    def teardown(self) -> None:
        try:
            if hasattr(self, "service"):
                self.closed = True
                closing = self.loop.create_task(self.service.aclose())
                self.rest()
                assert closing.done()
                closing.result()
                assert not asyncio.all_tasks(self.loop), "a task outlived aclose()"
        finally:
            self.loop.close()

    def rest(self) -> None:
        for source in self.sources.values():
            source.works = True
        for _ in range(20):
            for source in self.sources.values():
                source.answer_all(works=True)
            self.loop.step(3)
            self.look_around()
            self.nothing_went_wrong()

    def look_around(self) -> None:
        for waiter in self.waiters:
            waiter.look_around()
        busy = {waiter.source.name for waiter in self.waiters}
        self.reading_when_set_back &= busy | {name for name, source in self.sources.items() if source.calls}

    def source_of(self, key: TokenKey) -> ModelledSource:
        return next(source for source in self.sources.values() if source.identity == key.source)

    def note_unhandled(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.unhandled.append(context)


TestLifecycle = Lifecycle.TestCase
TestLifecycle.settings = settings(
    max_examples=300, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
