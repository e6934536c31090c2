"""Hooks of MkDocs."""

import re


def on_page_content(html: str, **_: object) -> str:
    """Mark code without a space, such as an option, so that no line breaks within it."""
    return re.sub(r"<code>([^\s<]+)</code>", r'<code class="word">\1</code>', html)
