"""The catalogue as a page of the documentation, made from what came of the attacks."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

HEAD = """\
# Attacks

<!-- Written by `pytest tests/attacks --write-catalogue`. -->

What a hostile server, or somebody in between, may do to a connect, and what comes of it. Each is a test, run against
every driver, for a single connect and for a pool, on asyncio and on uvloop; all four end in the same way. Every byte
that the client sends is written down, and nothing of the token is in it outside TLS: not the token, no sixteen bytes of
it, no hash of it. A client that is let down does not try again. What this protects from, and what not, is the
[threat model](threat-model.md).

"Seen on the wire" is all that the client said outside of TLS records.

| The server | asyncpg raises | aiomysql raises | psycopg raises | Seen on the wire |
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
        seen[driver] = outcome.on_the_wire + ("; the token within it" if outcome.token_within_tls else "")
    cells.append(
        seen["asyncpg"] if len(set(seen.values())) == 1 else "; ".join(f"{name}: {what}" for name, what in seen.items())
    )
    return f"| {' | '.join(cells)} |\n"
