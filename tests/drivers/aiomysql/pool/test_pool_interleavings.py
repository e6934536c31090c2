"""Whatever happens in whatever order: within its size, nobody stuck, nothing left."""

import asyncio
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from aws_iam_async.drivers.aiomysql.pool import Pool

OPERATIONS = (
    "acquire",
    "acquire",
    "acquire",
    "cancel",
    "cancel in a tick",
    "succeed",
    "succeed",
    "fail",
    "release",
    "release",
    "release closed",
    "release in transaction",
    "hang up",
    "clear",
    "close",
    "terminate",
    "tick",
    "ticks",
)


class Run:
    """One pool, what is done to it, and what must hold all the time."""

    def __init__(self, connects: Any, minsize: int, maxsize: int) -> None:
        self.connects = connects
        self.maxsize = maxsize
        self.pool = Pool(connects, minsize=min(minsize, maxsize) if maxsize else minsize, maxsize=maxsize)
        self.line: list[asyncio.Task[Any]] = []
        self.held: list[Any] = []
        self.others: list[asyncio.Task[Any]] = []
        self.failed = 0

    async def step(self, operation: str, which: int) -> None:
        self._do(operation, which)
        if operation == "tick":
            await asyncio.sleep(0)
        elif operation != "cancel in a tick":
            await self._settle()

    def _do(self, operation: str, which: int) -> None:
        under_way = [future for future in self.connects.pending if not future.done()]
        match operation:
            case "acquire" if not self.pool._closing:
                self.line.append(asyncio.create_task(self._acquire()))
            case "cancel" | "cancel in a tick" if self.line:
                self.line[which % len(self.line)].cancel()
            case "succeed" | "fail" if under_way:
                self._end(under_way[which % len(under_way)], failing=operation == "fail")
            case "release" | "release closed" | "release in transaction" if self.held:
                self._release(self.held.pop(which % len(self.held)), operation)
            case "hang up" if self.pool._free:
                self.pool._free[which % len(self.pool._free)].hang_up()
            case "clear":
                self.others.append(asyncio.create_task(self.pool.clear()))
            case "close":
                self.pool.close()
            case "terminate" if which == 0:
                self.pool.terminate()

    async def _acquire(self) -> None:
        self.held.append(await self.pool.acquire())

    def _end(self, connect: "asyncio.Future[Any]", *, failing: bool) -> None:
        if failing:
            self.failed += 1
            connect.set_exception(OSError(f"down {self.failed}"))
        else:
            self.connects.pending.remove(connect)
            self.connects.pending.insert(0, connect)
            self.connects.end(1)

    def _release(self, conn: Any, how: str) -> None:
        conn.in_transaction = "transaction" in how
        if "closed" in how:
            conn.close()
        self.pool.release(conn)

    async def _settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)
        self.line = [task for task in self.line if not self._has_ended(task)]
        if self.maxsize:
            assert self.pool.size <= self.maxsize
            assert self.connects.open + len(self.connects.pending) <= self.maxsize
        assert self.pool.size == self.pool.freesize + len(self.held_open) + len(self.connects.pending)
        if self.line and (not self.maxsize or self.pool.size < self.maxsize):
            assert len(self.connects.pending) >= len(self.line)
        if self.line and not self.connects.pending:
            assert self.held_open, "who stands in line waits for nobody"

    @property
    def held_open(self) -> list[Any]:
        return [conn for conn in self.held if conn in self.pool._used]

    def _has_ended(self, task: "asyncio.Task[Any]") -> bool:
        if task.done() and not task.cancelled():
            assert isinstance(task.exception(), OSError | RuntimeError | None)
        return task.done()

    async def finish(self) -> None:
        await self._settle()
        for _ in range(200):
            if not (self.line or self.held or self.connects.pending):
                break
            await self.step("succeed" if self.connects.pending else "release", 0)
        assert self.line == []
        self.pool.close()
        async with asyncio.timeout(5):
            await asyncio.gather(*self.others)
            await self.pool.wait_closed()
        assert (self.pool.size, self.connects.open, self.connects.pending) == (0, 0, [])
        assert asyncio.all_tasks() == {asyncio.current_task()}


@settings(max_examples=300, deadline=None)
@given(
    operations=st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 7)), max_size=40),
    minsize=st.integers(0, 3),
    maxsize=st.integers(0, 4),
)
def test_every_interleaving(
    new_connects: Callable[[], Any], operations: list[tuple[str, int]], minsize: int, maxsize: int
) -> None:
    async def main() -> None:
        run = Run(new_connects(), minsize, maxsize)
        for operation, which in operations:
            await run.step(operation, which)
        await run.finish()

    asyncio.run(main())
