"""The collector finds a secret in each kind of output, so its silence in the other tests proves something."""

import asyncio
import gc
import logging
import threading
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

import pytest

from tests.silence.ear import Ear, hear_loop

SECRET = "0123456789abcdef0123456789abcdef"


class Showing:
    def __repr__(self) -> str:
        return SECRET


def by_a_log_record(_: Ear) -> None:
    logging.getLogger("some.library").debug("signed %s", SECRET)


def by_a_new_logger(_: Ear) -> None:
    logging.getLogger("some.library.imported.later").debug("canonical request: %s", {"signature": SECRET})


def by_a_hidden_part_of_a_log_record(_: Ear) -> None:
    logging.getLogger("some.library").debug("signed", extra={"request": Showing()})


def by_a_logged_exception(_: Ear) -> None:
    try:
        raise_with_a_local()
    except LookupError:
        logging.getLogger("some.library").warning("failed", exc_info=True)


def by_a_warning(_: Ear) -> None:
    warnings.warn(f"deprecated: {SECRET}", stacklevel=1)


def by_a_thread(_: Ear) -> None:
    thread = threading.Thread(target=raise_with_a_local)
    thread.start()
    thread.join()


def by_a_finaliser(_: Ear) -> None:
    class Leaking:
        def __del__(self) -> None:
            raise_with_a_local()

    Leaking()
    gc.collect()


def raise_with_a_local() -> NoReturn:
    password = "".join(SECRET)  # noqa: F841 - the leak
    raise LookupError


def a_local(ear: Ear) -> None:
    hear(ear, raise_with_a_local)


def a_message(ear: Ear) -> None:
    def leak() -> None:
        raise LookupError(f"cannot log in with {SECRET}")

    hear(ear, leak)


def a_note(ear: Ear) -> None:
    def leak() -> None:
        error = LookupError()
        error.add_note(SECRET)
        raise error

    hear(ear, leak)


def an_attribute(ear: Ear) -> None:
    def leak() -> None:
        raise UnicodeEncodeError("ascii", SECRET, 0, 1, "ordinal not in range")

    hear(ear, leak)


def a_context(ear: Ear) -> None:
    def leak() -> None:
        try:
            raise_with_a_local()
        except LookupError:
            raise KeyError from None

    hear(ear, leak)


def a_member_of_a_group(ear: Ear) -> None:
    async def leak() -> None:
        raise_with_a_local()

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(leak())

    hear(ear, lambda: asyncio.run(main()))


def hear(ear: Ear, leak: Callable[[], Any]) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever
        leak()
    ear.hear_exception(caught.value)


def a_representation(ear: Ear) -> None:
    ear.hear_object(Showing())


def a_member(ear: Ear) -> None:
    one = Stranger()
    one.password = SECRET
    ear.hear_object(one)


class Stranger:
    password: str


def an_unawaited_task(ear: Ear) -> None:
    async def leak() -> None:
        raise_with_a_local()

    async def main() -> None:
        hear_loop(ear, asyncio.get_running_loop())
        task = asyncio.create_task(leak())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        del task
        gc.collect()

    asyncio.run(main())


def an_argument_of_a_callback(ear: Ear) -> None:
    async def main() -> None:
        hear_loop(ear, asyncio.get_running_loop())
        asyncio.get_running_loop().call_soon(len, SECRET)
        await asyncio.sleep(0)

    asyncio.run(main())


LEAKS: list[Callable[[Ear], None]] = [
    by_a_log_record,
    by_a_new_logger,
    by_a_hidden_part_of_a_log_record,
    by_a_logged_exception,
    by_a_warning,
    by_a_thread,
    by_a_finaliser,
    a_local,
    a_message,
    a_note,
    an_attribute,
    a_context,
    a_member_of_a_group,
    a_representation,
    a_member,
    an_unawaited_task,
    an_argument_of_a_callback,
]


@pytest.mark.parametrize("leak", LEAKS)
def test_a_leak_is_heard(leak: Callable[[Ear], None], ear: Ear) -> None:
    ear.secrets.append(SECRET)
    leak(ear)
    assert ear.told() != []


@pytest.mark.parametrize("at", range(17))
def test_so_is_any_half_of_a_secret(ear: Ear, at: int) -> None:
    ear.secrets.append(SECRET)
    ear.hear("somewhere", f"...{SECRET[at : at + 16]}...")
    assert ear.told() != []
    ear.texts.clear()
    ear.hear("somewhere", f"...{SECRET[:7]}...")
    assert ear.told() == []
