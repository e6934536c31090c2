"""Which sources are one and the same."""

import functools
import gc
import itertools
import weakref

import pytest
from aiobotocore.session import AioSession
from botocore.credentials import ReadOnlyCredentials
from botocore.session import Session

from aws_iam_async import ConfigurationError, Credentials
from aws_iam_async.credentials.source import DEFAULT_CHAIN, CallersSource, credentials_source


class Vault:
    async def load(self) -> Credentials:
        return Credentials("AKIA", "x")

    async def __call__(self) -> Credentials:
        return await self.load()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vault)

    __hash__ = None  # type: ignore[assignment]  # an object that cannot be a key by itself


async def load() -> Credentials:
    return Credentials("AKIA", "x")


def test_equal_profiles_are_one() -> None:
    assert credentials_source(profile="prod") == credentials_source(profile="prod")
    assert hash(credentials_source(profile="prod")) == hash(credentials_source(profile="prod"))
    assert credentials_source() is credentials_source(None, None) is DEFAULT_CHAIN


def test_the_same_object_is_one() -> None:
    vault, session, partial = Vault(), AioSession(), functools.partial(load)
    for given in (vault, session, partial, load):
        assert credentials_source(credentials=given) == credentials_source(credentials=given)
        assert hash(credentials_source(credentials=given)) == hash(credentials_source(credentials=given))


def test_a_method_of_the_same_object_is_one() -> None:
    class Loader:
        async def load(self) -> Credentials:
            return Credentials("AKIA", "x")

    one, other = Loader(), Loader()
    assert credentials_source(credentials=one.load) == credentials_source(credentials=one.load)
    assert hash(credentials_source(credentials=one.load)) == hash(credentials_source(credentials=one.load))
    assert credentials_source(credentials=one.load) != credentials_source(credentials=other.load)


def test_all_others_are_different() -> None:
    sources = [
        credentials_source(),
        credentials_source(profile="a"),
        credentials_source(profile="b"),
        credentials_source(profile="default"),
        credentials_source(credentials=Vault()),
        credentials_source(credentials=Vault()),  # equal to the one before, by its own reckoning
        credentials_source(credentials=AioSession()),
        credentials_source(credentials=AioSession()),
        credentials_source(credentials=load),
        credentials_source(credentials=lambda: load()),  # noqa: PLW0108 - another function
    ]
    assert len(set(sources)) == len(sources)
    assert not any(one == other for one, other in itertools.combinations(sources, 2))


def test_what_it_stands_for_is_kept_alive() -> None:
    session = AioSession()
    reference = weakref.ref(session)
    identity = credentials_source(credentials=session)
    del session
    gc.collect()
    assert isinstance(identity, CallersSource)
    assert reference() is identity.provider


def test_both_exclude_each_other() -> None:
    with pytest.raises(ConfigurationError, match="profile and credentials"):
        credentials_source(profile="prod", credentials=load)


@pytest.mark.parametrize("wrong", ["", "  ", 7, b"prod", ["prod"]])
def test_profiles_that_are_none(wrong: object) -> None:
    with pytest.raises(ConfigurationError, match=r"^profile must"):
        credentials_source(profile=wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        "SECRET-KEY-MARK",
        7,
        {"access_key": "SECRET-KEY-MARK"},
        Credentials("AKIA", "SECRET-KEY-MARK"),
        ReadOnlyCredentials("AKIA", "SECRET-KEY-MARK", None),
        ("AKIA", "SECRET-KEY-MARK"),
        AioSession,
        Vault,
        Session(),
        load.__code__,
    ],
    ids=lambda wrong: type(wrong).__name__,
)
def test_credentials_that_are_none(wrong: object) -> None:
    with pytest.raises(ConfigurationError, match=r"^credentials") as raised:
        credentials_source(credentials=wrong)
    assert "MARK" not in str(raised.value)


def test_a_blocking_session_is_named() -> None:
    with pytest.raises(ConfigurationError, match="block the event loop"):
        credentials_source(credentials=Session())


@pytest.mark.parametrize(
    "identity", [credentials_source(), credentials_source(profile="prod"), credentials_source(credentials=load)]
)
def test_repr_reads_well(identity: object) -> None:
    assert repr(identity) in {
        "the default credentials chain",
        "profile 'prod'",
        "the function passed as credentials=",
    }
