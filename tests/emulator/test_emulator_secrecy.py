import asyncio
import gc
import logging
import traceback
import types

import pytest

from aws_iam_async.testing import AccessKey, Account, Upstream
from tests.emulator.conftest import Front

CODE = (types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.CodeType, types.FrameType, type)


def _secrets(key: AccessKey, token: str) -> list[str]:
    return [token, token.split("X-Amz-Signature=")[1], key.secret_key, key.session_token or "", token.split("?")[1]]


async def test_records_logs_and_errors_hold_no_token_and_no_secret(
    front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    front.key = front.emulator.account.create_access_key(session=True)
    token = front.token()
    caplog.set_level(logging.DEBUG)
    await (await front.connect(token)).close()
    front.emulator.account.revoke(front.key.access_key)
    with pytest.raises(front.refusal) as refusal:
        await front.connect(token)
    emulator = front.emulator
    shown = [
        caplog.text,
        str(refusal.value),
        repr(emulator.logins),
        repr(emulator),
        repr(emulator.account),
        repr(front.key),
        repr(vars(front.key)),
        repr(emulator.upstream),
    ]
    for secret in _secrets(front.key, token):
        assert len(secret) > 10
        assert not [text for text in shown if secret in text]


async def test_a_failing_decision_shows_no_token_in_its_traceback(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = front.token()
    seen: list[str] = []

    def look() -> float:
        seen.extend(traceback.StackSummary.extract(traceback.walk_stack(None), capture_locals=True).format())
        return 0.0

    monkeypatch.setattr(front.emulator, "clock", look)
    with pytest.raises(front.refusal):
        await front.connect(token)
    assert any("decide" in frame for frame in seen)
    for secret in _secrets(front.key, token):
        assert not [frame for frame in seen if secret and secret in frame]


def _strings_reachable_from(start: object) -> set[str]:
    """All strings that an object refers to, directly or through others, except by way of code."""
    seen: dict[int, object] = {id(start): start}
    pending, strings = [start], set()
    while pending:
        for referent in gc.get_referents(pending.pop()):
            if isinstance(referent, str):
                strings.add(str(referent))
            elif isinstance(referent, bytes | bytearray):
                strings.add(referent.decode(errors="replace"))
            elif id(referent) not in seen and not isinstance(referent, CODE):
                seen[id(referent)] = referent
                pending.append(referent)
    return strings


async def test_the_emulator_keeps_no_token(front: Front) -> None:
    token = front.token()
    await (await front.connect(token)).close()
    signature = token.split("X-Amz-Signature=")[1]
    del token
    await asyncio.to_thread(front.emulator.wait_for_connections, 0)
    gc.collect()
    strings = _strings_reachable_from(front.emulator)
    assert front.key.access_key in strings
    assert not [string for string in strings if signature in string]


def test_the_password_of_a_real_server_is_not_shown() -> None:
    assert "hunter2" not in repr(Upstream("mysql", password="hunter2"))


def test_keys_look_like_those_of_aws_and_no_two_are_alike() -> None:
    account = Account()
    keys = [account.create_access_key(session=bool(number % 2)) for number in range(100)]
    assert len({key.access_key for key in keys}) == 100
    for number, key in enumerate(keys):
        assert key.access_key.startswith("ASIA" if number % 2 else "AKIA")
        assert (len(key.access_key), len(key.secret_key)) == (20, 40)
        assert (key.session_token is not None) == bool(number % 2)


def test_a_key_that_never_was_can_be_neither_revoked_nor_restored() -> None:
    for change in (Account().revoke, Account().restore):
        with pytest.raises(KeyError):
            change("AKIAAAAAAAAAAAAAAAAA")
