"""A plugin can require TLS for its secret. The user's TLS options are then strengthened or refused, never weakened."""

import ssl

import pytest

from aws_iam_async import ConfigurationError, InsecureTransportError, tls
from aws_iam_async.tls import Tls, TlsMode, contexts

OWN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def test_nothing_said_becomes_full_verification() -> None:
    assert tls.parse().secured() == Tls("verify-full", required=True)


@pytest.mark.parametrize("word", ["require", "verify-ca", "verify-full"])
def test_a_word_that_encrypts_stays(word: TlsMode) -> None:
    assert tls.parse(word).secured() == Tls(word, required=True)


def test_the_callers_context_stays() -> None:
    assert tls.parse(OWN).secured("db.example") == Tls(context=OWN, server_name="db.example", required=True)


@pytest.mark.parametrize("word", ["disable", "allow", "prefer"])
def test_a_word_that_may_mean_plaintext_is_refused_with_the_fix(word: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^ssl/sslmode '{word}'.* plaintext; omit it for 'verify-full'"):
        tls.parse(word).secured()


def test_false_is_refused_by_the_name_that_the_user_gave_it() -> None:
    with pytest.raises(ConfigurationError, match=r"\(ssl=False\)"):
        tls.parse(ssl=False).secured()


def test_a_second_plugin_changes_nothing_but_the_name() -> None:
    once = tls.parse("verify-ca").secured("one.example")
    assert once.secured() == once.secured("one.example") == once
    assert once.secured("two.example") == Tls("verify-ca", server_name="two.example", required=True)


@pytest.mark.parametrize("mode", [None, "disable", "allow", "prefer"])
async def test_no_context_is_made_for_what_the_driver_does_by_itself(mode: TlsMode | None) -> None:
    assert await contexts.context(Tls(mode)) is None


@pytest.mark.parametrize("mode", [None, "disable", "allow", "prefer"])
async def test_a_request_put_together_wrongly_is_not_let_through(mode: TlsMode | None) -> None:
    with pytest.raises(InsecureTransportError, match="for TLS only"):
        await contexts.context(Tls(mode, required=True))
