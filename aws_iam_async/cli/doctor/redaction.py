"""Make text from elsewhere fit to be shown: no secrets, no control characters. Pure."""

import re
from collections.abc import Iterable

__all__ = ["redacted"]

# The parts of a presigned URL that are secret, wherever they come from.
_SECRET_PARAMETER = re.compile(r"(X-Amz-(?:Signature|Security-Token)=)[^&\s\"']*", re.IGNORECASE)
_HIDDEN = "**********"


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text without secrets, and without what would steer a terminal.

    A server's error message may hold anything: what it was sent, or the escape sequences of a terminal.

    Args:
        text: The text; line breaks in it stay.
        secrets: Secrets that are known.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        if secret:
            text = text.replace(secret, _HIDDEN)
    text = _SECRET_PARAMETER.sub(rf"\g<1>{_HIDDEN}", text)
    return "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character.isprintable() or character == "\n":
        return character
    return " " if character.isspace() else "\N{REPLACEMENT CHARACTER}"
