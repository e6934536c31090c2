"""What reporters of errors cut out of a secret is as redacted as the whole: they truncate before ``repr()``."""

import copy
import io
import logging
import pickle
import pprint
import reprlib
import traceback
from collections.abc import Callable
from typing import Any

import pytest
import rich.console
import rich.pretty
import rich.traceback

from aws_iam_async import ConfigurationError, ConnectRequest, Credentials, RdsTokenProvider, Token

MARK = "MARK"
LONG = MARK * 50 + "\n" + MARK


async def _credentials() -> Credentials:
    return Credentials("ASIAEXAMPLE", MARK * 10, MARK * 300)


@pytest.fixture
async def secrets() -> dict[str, Any]:
    """Every string that this package marks as secret."""
    provider = RdsTokenProvider(credentials=_credentials)
    token = await provider.get_token(
        host="shop.c9akciq32.us-east-1.rds.amazonaws.com", port=5432, user=MARK * 10, region="us-east-1"
    )
    credentials = await _credentials()
    request = ConnectRequest(driver="asyncpg", password=LONG)
    return {
        "token": token.value,
        "token of a provider": Token(LONG, token.region, token.access_key_id, token.lifetime).value,  # type: ignore[arg-type]  # plain
        "secret key": credentials.secret_key,
        "session token": credentials.session_token,
        "password": request.password,
        "replaced password": request.replace(password=LONG).password,
    }


def _rich(renderable: Any) -> str:
    console = rich.console.Console(file=io.StringIO(), width=120)
    console.print(renderable)
    return str(console.file.getvalue())  # type: ignore[attr-defined]  # the StringIO


def _failed(secret: str) -> Exception:
    def fail(hidden: str, pieces: list[str]) -> None:
        raise ValueError(len(hidden), len(pieces))

    try:
        fail(secret, [secret[4:], *secret.splitlines()])
    except ValueError as error:
        return error
    raise AssertionError


def _rich_traceback(secret: str) -> str:
    error = _failed(secret)
    trace = rich.traceback.Traceback.from_exception(
        type(error), error, error.__traceback__, show_locals=True, locals_max_string=20
    )
    return _rich(trace)


def _traceback(secret: str) -> str:
    return "".join(traceback.TracebackException.from_exception(_failed(secret), capture_locals=True).format())


def _log(secret: str) -> str:
    record = logging.LogRecord("x", logging.ERROR, "x", 1, "%r %s %s", (secret, [secret], {"password": secret}), None)
    return record.getMessage()


SHOWN: dict[str, Callable[[Any], object]] = {
    "repr": repr,
    "ascii": ascii,
    "f-string": lambda secret: f"{secret!r} {secret!a} {[secret]}",
    "traceback with locals": _traceback,
    "rich traceback with locals": _rich_traceback,
    "rich pretty": lambda secret: _rich(rich.pretty.Pretty({"password": secret}, max_string=20)),
    "pprint": lambda secret: pprint.pformat({"password": [secret] * 3}, width=20),
    "reprlib": lambda secret: reprlib.repr({"password": secret}),
    "logging": _log,
    "copy": lambda secret: [copy.copy(secret), copy.deepcopy(secret)],
    "pickle": lambda secret: pickle.loads(pickle.dumps(secret)),
    "slice": lambda secret: [secret[:9], secret[-9:], secret[::2], secret[:]],
    "index": lambda secret: {secret[0], secret[-1]},
    "iteration": list,
    "unpacking": lambda secret: [*secret],
    "split": lambda secret: [secret.split("A"), secret.rsplit("A", 1), secret.splitlines()],
    "partition": lambda secret: [secret.partition("A"), secret.rpartition("A")],
    "strip": lambda secret: [secret.strip(), secret.lstrip("x"), secret.rstrip(), secret.removeprefix("x")],
    "change": lambda secret: [secret.replace("x", "y"), secret.upper(), secret.translate({}), secret.expandtabs()],
    "pad": lambda secret: [secret.center(9), secret.ljust(9), secret.zfill(9)],
}


@pytest.mark.parametrize("way", SHOWN)
@pytest.mark.parametrize(
    "name", ["token", "token of a provider", "secret key", "session token", "password", "replaced password"]
)
async def test_no_way_to_show_a_secret_shows_a_piece_of_it(secrets: dict[str, Any], name: str, way: str) -> None:
    secret = secrets[name]
    assert MARK in secret
    shown = SHOWN[way](secret)
    text = shown if isinstance(shown, str) and way != "pickle" else repr(shown)
    assert MARK not in text
    assert "'M'" not in text


async def test_a_secret_works_as_the_string_that_it_is(secrets: dict[str, Any]) -> None:
    secret = secrets["password"]
    assert secret == LONG
    assert str(secret) == f"{secret}" == "".join(secret) == LONG
    assert secret.encode() == LONG.encode()
    assert secret[:4] + "!" == "MARK!"
    assert hash(secret) == hash(LONG)


WRONG: dict[str, Any] = {
    "space": "MARK MARK",
    "line break": "MARK" * 30 + "\n",
    "bytes": b"MARK" * 30,
    "list": ["MARK"],
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("name", ["secret_key", "session_token"])
def test_no_frame_of_a_refusal_shows_the_key(name: str, wrong: str) -> None:
    values = {"access_key": "AKIAEXAMPLE", "secret_key": "MARK", "session_token": "MARK", name: WRONG[wrong]}
    with pytest.raises(ConfigurationError, match=name) as raised:
        Credentials(**values)
    error = raised.value
    del values
    frames = [
        frame for frame in traceback.walk_tb(error.__traceback__) if "aws_iam_async" in frame[0].f_code.co_filename
    ]
    shown = "".join(traceback.StackSummary.extract(iter(frames), capture_locals=True).format())
    assert "Credentials(access_key='AKIAEXAMPLE'" in shown
    assert MARK not in shown.replace("MARKED", "")


def test_no_frame_of_a_request_shows_the_password() -> None:
    request = ConnectRequest(driver="asyncpg")
    with pytest.raises(TypeError) as raised:
        request.replace(password=MARK, pasword=None)
    frames = [
        frame for frame in traceback.walk_tb(raised.value.__traceback__) if "request.py" in frame[0].f_code.co_filename
    ]
    shown = "".join(traceback.StackSummary.extract(iter(frames), capture_locals=True).format())
    assert "changes = " in shown
    assert MARK not in shown
