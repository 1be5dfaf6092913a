"""Names that came from outside, made safe to show."""

import html
import re

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:&=^])")


def markdown(text: str) -> str:
    """Text as Markdown that shows exactly the text."""
    return _MARKDOWN.sub(r"\\\1", " ".join(str(text).split()))


def escaped(text: str) -> str:
    """Text for HTML, attributes included."""
    return html.escape(str(text), quote=True)
