"""In any order of events, the pool keeps its maximum size, no task is stuck, and no connection is left."""

import asyncio
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from aws_iam_async.drivers.aiomysql.pool import Pool


class Run:
    """One pool, what is done to it, and what must hold after each deed."""

    def __init__(self, connects: Any, minsize: int, maxsize: int) -> None:
        self.connects = connects
        self.maxsize = maxsize
        self.pool = Pool(connects, minsize=min(minsize, maxsize) if maxsize else minsize, maxsize=maxsize)
        self.line: list[asyncio.Task[Any]] = []
        self.held: list[Any] = []
        self.background: list[asyncio.Task[None]] = []

    def deeds(self) -> list[Callable[[int], None]]:
        """What can be done now, what is to happen more often more than once."""
        can: list[Callable[[int], None]] = [self.clear]
        if not self.pool._closing:
            can += [self.acquire] * 4
        if self.under_way:
            can += [self.succeed, self.succeed, self.fail]
        if self.held:
            can += [self.release, self.release, self.release_closed, self.release_in_transaction]
        if self.line:
            can += [self.cancel]
        if self.pool._free:
            can += [self.hang_up]
        return can

    @property
    def under_way(self) -> list[Any]:
        return [connect for connect in self.connects.pending if not connect.done()]

    def acquire(self, _: int) -> None:
        async def acquire() -> None:
            self.held.append(await self.pool.acquire())

        self.line.append(asyncio.create_task(acquire()))

    def succeed(self, which: int) -> None:
        connect = self.under_way[which % len(self.under_way)]
        self.connects.pending.remove(connect)
        self.connects.pending.insert(0, connect)
        self.connects.end(1)

    def fail(self, which: int) -> None:
        self.under_way[which % len(self.under_way)].set_exception(OSError("down"))

    def cancel(self, which: int) -> None:
        self.line[which % len(self.line)].cancel()

    def release(self, which: int) -> None:
        self.pool.release(self.held.pop(which % len(self.held)))

    def release_closed(self, which: int) -> None:
        self.held[which % len(self.held)].close()
        self.release(which)

    def release_in_transaction(self, which: int) -> None:
        conn = self.held[which % len(self.held)]
        conn.in_transaction = True
        self.release(which)

    def hang_up(self, which: int) -> None:
        self.pool._free[which % len(self.pool._free)].hang_up()

    def clear(self, _: int) -> None:
        self.background.append(asyncio.create_task(self.pool.clear()))

    def close(self) -> None:
        async def wait() -> None:
            await self.pool.wait_closed()
            assert (self.pool.size, self.connects.open, self.connects.pending) == (0, 0, []), "closed too early"
            await asyncio.sleep(0)  # tasks that were woken in this tick have not run yet
            assert all(task.done() for task in self.line), "closed although a task is waiting"

        self.pool.close()
        self.background.append(asyncio.create_task(wait()))

    async def terminate(self) -> None:
        self.pool.terminate()
        await self.check()
        assert self.line == []

    async def check(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)
        ended = [task for task in self.line if task.done()]
        self.line = [task for task in self.line if not task.done()]
        # Each one was served, was cancelled, or hears of a failure: by retrieving it here.
        assert all(task.cancelled() or isinstance(task.exception(), OSError | RuntimeError | None) for task in ended)
        in_use = self.pool._used
        assert in_use <= set(self.held), "lost on its way to the task that acquired it"
        assert self.pool.size == self.pool.freesize + len(in_use) + len(self.connects.pending)
        assert self.connects.open == self.pool.freesize + sum(not conn.closed for conn in self.held)
        if self.maxsize:
            assert self.pool.size <= self.maxsize
        if self.line:
            full = self.maxsize and self.pool.size == self.maxsize
            assert full or len(self.connects.pending) >= len(self.line), "a task is waiting although there is room"
            assert self.connects.pending or in_use, "a task is waiting for nothing"

    async def finish(self) -> None:
        """Serve all tasks, return all connections, and close."""
        await self.check()
        while self.line or self.held or self.connects.pending:
            (self.succeed if self.connects.pending else self.release)(0)
            await self.check()
        self.close()
        async with asyncio.timeout(5):
            await asyncio.gather(*self.background)
        assert asyncio.all_tasks() == {asyncio.current_task()}


@settings(max_examples=300, deadline=None)
@given(
    choices=st.lists(st.tuples(st.integers(0, 99), st.integers(0, 7), st.integers(0, 3)), min_size=10, max_size=60),
    minsize=st.integers(0, 3),
    maxsize=st.integers(0, 4),
    ending=st.sampled_from(["close", "terminate", "close, then terminate"]),
)
def test_every_interleaving(
    new_connects: Callable[[], Any], choices: list[tuple[int, int, int]], minsize: int, maxsize: int, ending: str
) -> None:
    async def main() -> None:
        run = Run(new_connects(), minsize, maxsize)
        for number, (deed, which, pause) in enumerate(choices):
            deeds = run.deeds()
            deeds[deed % len(deeds)](which)
            if pause == 0:
                await asyncio.sleep(0)  # else two deeds in one tick, or in the next, or each after the other
            elif pause > 1:
                await run.check()
            if number == len(choices) * 2 // 3 and "close" in ending:
                run.close()
        if "terminate" in ending:
            await run.terminate()
        await run.finish()

    asyncio.run(main())
