"""Whatever a server does, the token leaves this process only within TLS, to the endpoint that it was signed for."""

import asyncio
from pathlib import Path

import pytest

from aws_iam_async.testing import Emulator
from tests.attacks.catalogue import ATTACKS, Attack, Scene
from tests.attacks.conftest import LOOPS, SCHEMES, WAYS, Client, settled
from tests.attacks.hostile_certificates import Forgery
from tests.attacks.hostile_server import VICTIMS, HostileServer
from tests.attacks.page import Outcome, Outcomes, render
from tests.attacks.traces import described, trace

PAGE = Path(__file__).parents[2] / "docs" / "attacks.md"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.title)
async def test_the_attack_fails_and_is_told(
    attack: Attack, way: str, driver: str, client: Client, emulator: Emulator, forgery: Forgery, outcomes: Outcomes
) -> None:
    scene = Scene(forgery, emulator)
    expected = attack.expected[driver]
    server = HostileServer(lambda victim: attack.act(victim, scene), VICTIMS[driver])
    options = {"timeout" if driver == "asyncpg" else "connect_timeout": 10} | attack.options.get(driver, {})
    try:
        with pytest.raises(expected.error) as caught:
            await client.dial(way, server.port, **options)
    finally:
        scene.over.set()
        await asyncio.to_thread(server.stop)
        await settled()
    text = told(caught.value)
    assert expected.text in text
    (victim,) = server.victims  # no second try
    (token,) = client.witness.secrets
    assert trace(token, "app", bytes(victim.on_the_wire)) is None
    within = bytes(victim.within_tls)
    if attack.asks_in_clear:
        assert within.count(token.encode()) == 1
        within = within.replace(token.encode(), b"")
    assert trace(token, "app", within) is None
    # The access key ID is not secret.
    assert trace(token, "app", text.encode(), secret_from="X-Amz-Security-Token=") is None
    outcome = Outcome(*expected, described(victim), token_within_tls=attack.asks_in_clear)
    outcomes[attack.title, driver].append(outcome)


def test_the_page_shows_what_came_of_them(outcomes: Outcomes, pytestconfig: pytest.Config) -> None:
    for one in ATTACKS:
        for driver in SCHEMES:
            times = len(outcomes[one.title, driver])
            assert times == len(WAYS) * len(LOOPS), f"run the whole file: {one.title!r} ran {times} times on {driver}"
    page = render([one.title for one in ATTACKS], outcomes)
    if pytestconfig.getoption("write_catalogue"):
        PAGE.write_text(page)
    assert PAGE.read_text() == page, "out of date: run pytest tests/attacks --write-catalogue"


def told(error: BaseException) -> str:
    """The error's text, and its cause's."""
    return "\n".join([str(error), str(error.__cause__ or ""), *getattr(error, "__notes__", ())])
