"""Untrusted text made safe to show as Markdown or HTML."""

import html
import re

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:&=^])")


def markdown(text: str) -> str:
    """Markdown that shows exactly this text."""
    return _MARKDOWN.sub(r"\\\1", " ".join(str(text).split()))


def escaped(text: str) -> str:
    """HTML that shows exactly this text, also in attributes."""
    return html.escape(str(text), quote=True)
