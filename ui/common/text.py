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


def duration(seconds: float) -> str:
    """A rough time in words: 40 seconds, 3 minutes, 2.5 hours."""
    if seconds < 90:
        rounded = max(1, round(seconds))
        return f"{rounded} second{'s' * (rounded != 1)}"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
