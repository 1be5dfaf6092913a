"""Walls of thumbnails: one element a page, whatever the images are called."""

import base64
from dataclasses import dataclass

import streamlit as st

from ui.common.text import escaped

PER_PAGE = 48

_STYLE = """<style>
.ueo-wall { display: grid; grid-template-columns: repeat(auto-fill, minmax(104px, 1fr)); gap: 10px; }
.ueo-wall figure { margin: 0; min-width: 0; }
.ueo-wall img { width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 6px; display: block; }
.ueo-wall figcaption { font-size: 0.72rem; opacity: 0.8; white-space: nowrap; overflow: hidden;
  text-overflow: ellipsis; }
</style>"""


@dataclass(frozen=True)
class Picture:
    """One thumbnail with the text under it; both may come from strangers."""

    jpeg: bytes
    caption: str


def wall(pictures: list[Picture]) -> None:
    """Draw a page of thumbnails; names are text, never markup."""
    figures = "".join(
        f'<figure title="{escaped(p.caption)}"><img alt="{escaped(p.caption)}" '
        f'src="data:image/jpeg;base64,{base64.b64encode(p.jpeg).decode()}">'
        f"<figcaption>{escaped(p.caption)}</figcaption></figure>"
        for p in pictures
    )
    st.html(f'{_STYLE}<div class="ueo-wall">{figures}</div>')


def pages(count: int, key: str) -> range:
    """A pager over `count` pictures where there is more than one page. → the indices to show"""
    number = -(-count // PER_PAGE)
    page = st.pagination(number, key=key) if number > 1 else 1
    page = min(max(1, page or 1), max(1, number))
    return range((page - 1) * PER_PAGE, min(count, page * PER_PAGE))
