"""Untrusted text made safe to show as Markdown or HTML."""

import html
import re

from ui.common.network import public

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:&=^])")


def markdown(text: str) -> str:
    """Markdown that shows exactly this text; on a network, without the folders of this machine."""
    return _MARKDOWN.sub(r"\\\1", " ".join(public(str(text)).split()))


def escaped(text: str) -> str:
    """HTML that shows exactly this text, also in attributes."""
    return html.escape(str(text), quote=True)
