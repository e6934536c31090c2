"""The catalogue as a page of the documentation, made from what came of the attacks."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

HEAD = """\
# Attacks

<!-- Written by `pytest tests/attacks --write-catalogue`. -->

This page lists attacks by a hostile server or on the network, and the error that each driver raises. Use it to check
what your error handling must expect, or to review the security of a login. The [threat model](threat-model.md)
describes the attackers.

Each attack is a test with every driver, for a single connection and a pool, on asyncio and on uvloop. All
combinations end in the same way. The tests record every byte that the client sends. Outside TLS, these bytes contain
neither the token, nor 16 bytes of it, nor a hash of it. The client does not retry.

The last column shows the bytes of the client: a request for TLS, TLS records, or nothing.

| The server | asyncpg raises | aiomysql raises | psycopg raises | Sent by the client |
| --- | --- | --- | --- | --- |
"""


class Outcome(NamedTuple):
    """What came of one attack.

    Attributes:
        error: What the caller got.
        cause: What its text said of the cause.
        on_the_wire: What a listener saw.
        token_within_tls: Whether the server, which had proved who it is, was sent the token.
    """

    error: type[BaseException]
    cause: str
    on_the_wire: str
    token_within_tls: bool


Outcomes: TypeAlias = Mapping[tuple[str, str], list[Outcome]]


def render(titles: Iterable[str], outcomes: Outcomes) -> str:
    """Return the page.

    Raises:
        ValueError: An attack did not always come to the same end.
    """
    return HEAD + "".join(_row(title, outcomes) for title in titles)


def _row(title: str, outcomes: Outcomes) -> str:
    cells = [title]
    seen: dict[str, str] = {}
    for driver in ("asyncpg", "aiomysql", "psycopg"):
        found = set(outcomes[title, driver])
        if len(found) != 1:
            raise ValueError(f"{title!r} on {driver} comes to several ends: {found}")
        (outcome,) = found
        cells.append(f"`{outcome.error.__name__}`" + (f": {outcome.cause}" if outcome.cause else ""))
        seen[driver] = outcome.on_the_wire + ("; the token inside TLS" if outcome.token_within_tls else "")
    cells.append(
        seen["asyncpg"] if len(set(seen.values())) == 1 else "; ".join(f"{name}: {what}" for name, what in seen.items())
    )
    return f"| {' | '.join(cells)} |\n"
