"""Garbage collections are held back for a while. Objects created during that time do not trigger one afterwards."""

import functools
import gc
import threading
from collections.abc import Callable, Iterator

import aiobotocore.session  # noqa: F401 - the last test is about what happens after this import
import pytest

from aws_iam_async import RdsTokenProvider
from aws_iam_async.threads import garbage_collection_paused
from tests.credentials.conftest import AwsHome


@pytest.fixture
def collected() -> Iterator[list[int]]:
    """The generations collected so far."""
    generations: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            generations.append(info["generation"])

    assert gc.isenabled()
    gc.unfreeze()  # tests/conftest.py has frozen what pytest collected
    gc.collect()
    gc.callbacks.append(note)
    yield generations
    gc.callbacks.remove(note)
    gc.enable()
    gc.freeze()


def test_nothing_is_collected_meanwhile_and_nothing_is_due_afterwards(collected: list[int]) -> None:
    with garbage_collection_paused():
        kept = [[number] for number in range(100_000)]
        assert collected == []
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
    assert collected == []
    assert len(gc.get_objects(generation=0)) < 1000  # all that the next collection has to look through
    assert len(kept) == 100_000


def test_what_was_frozen_stays_frozen(collected: list[int]) -> None:
    gc.freeze()
    frozen = gc.get_freeze_count()
    with garbage_collection_paused():
        pass
    assert gc.isenabled()
    assert gc.get_freeze_count() >= frozen - 100  # objects die, but nothing was thawed
    assert collected == []


def test_a_collector_switched_off_stays_off(collected: list[int]) -> None:
    gc.disable()
    with garbage_collection_paused():
        pass
    assert not gc.isenabled()
    assert collected == []


@pytest.mark.parametrize("choose", [gc.disable, functools.partial(gc.set_threshold, 5000)], ids=["off", "rarely"])
def test_what_the_application_chooses_meanwhile_holds(collected: list[int], choose: Callable[[], None]) -> None:
    before = gc.get_threshold()
    try:
        with garbage_collection_paused():
            choose()
            chosen = gc.isenabled(), gc.get_threshold()[0] or before[0]
        assert (gc.isenabled(), gc.get_threshold()[0]) == chosen
    finally:
        gc.set_threshold(*before)
    assert collected == []


def test_an_error_switches_it_on_again(collected: list[int]) -> None:
    with pytest.raises(ImportError), garbage_collection_paused():
        raise ImportError
    assert gc.isenabled()
    assert collected == []


def test_a_second_thread_is_not_held_up_and_changes_nothing(collected: list[int]) -> None:
    threshold, states = gc.get_threshold(), list[int]()

    def hold() -> None:
        with garbage_collection_paused():
            states.append(gc.get_threshold()[0])

    with garbage_collection_paused():
        thread = threading.Thread(target=hold)
        thread.start()
        thread.join(10)
        assert states == [0]
        assert gc.get_threshold()[0] == 0
    assert gc.get_threshold() == threshold
    assert gc.isenabled()
    assert collected == []


@pytest.mark.usefixtures("collected")
async def test_a_read_after_the_import_leaves_young_objects_where_they_are(aws_home: AwsHome) -> None:
    aws_home.set(AWS_PROFILE="app")
    aws_home.credentials.write_text("[app]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = made-up\n")
    gc.disable()
    young = ["an object of the application"]
    await RdsTokenProvider().get_token(host="db.c9akciq32.us-east-1.rds.amazonaws.com", port=5432, user="app")
    assert not any(found is young for found in gc.get_objects(generation=2))
