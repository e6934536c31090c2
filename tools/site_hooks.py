"""Hooks that MkDocs calls while it builds the site."""

import html as entities
import re

_CODE = re.compile(r"(?<!<pre><span></span>)<code>([^<]+)</code>")
_CELL = re.compile(r"<(t[dh])((?: [^>]*)?)>(.*?)</\1>", re.DOTALL)
# Browsers can break a line after a hyphen or a slash, in the middle of a word.
_WORD = re.compile(r"[^\s<>]*[-/][^\s<>]*")
_PARTS = re.compile(r"(?<=@)")  # a DSN can break before its host
_LONGEST = 36  # the number of characters that fit on the screen of a phone
_PHRASE, _SENTENCE = 14, 40  # a cell with more characters is a phrase or a sentence


def on_page_content(html: str, **_: object) -> str:
    """Add classes for the stylesheet to words in inline code, such as ``--iam-host``, and to cells with long text."""
    return _CELL.sub(_mark_cell, _CODE.sub(lambda code: f"<code>{_WORD.sub(_mark_word, code[1])}</code>", html))


def _mark_word(word: re.Match[str]) -> str:
    parts = [
        f'<span class="word{" long" if len(entities.unescape(part)) > _LONGEST else ""}">{part}</span>'
        for part in _PARTS.split(word[0])
    ]
    return "<wbr>".join(parts)


def _mark_cell(cell: re.Match[str]) -> str:
    tag, attributes, content = cell.groups()
    length = len(" ".join(entities.unescape(re.sub(r"<[^>]*>", "", content)).split()))
    if length <= _PHRASE or "class=" in attributes:
        return cell[0]
    return f'<{tag}{attributes} class="{"sentence" if length > _SENTENCE else "phrase"}">{content}</{tag}>'
