"""Hooks of MkDocs."""

import re

# Browsers break lines within words at these characters.
_WORD = re.compile(r"[^\s<>]*[-/][^\s<>]*")
_LONGEST = 36  # characters: hosts and DSNs would make a column wider than a phone


def on_page_content(html: str, **_: object) -> str:
    """Mark words in code, such as ``--iam-host``, so that the stylesheet can keep them on one line."""
    return re.sub(r"<code>([^<]+)</code>", lambda code: f"<code>{_WORD.sub(_mark, code[1])}</code>", html)


def _mark(word: re.Match[str]) -> str:
    return f'<span class="word">{word[0]}</span>' if len(word[0]) <= _LONGEST else word[0]
