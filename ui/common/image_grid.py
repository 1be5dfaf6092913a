"""Grids of thumbnails, page by page; in one of them an image can be selected."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from ui.common import thumbs
from ui.common.shell import ROOT
from ui.common.text import escaped

PER_PAGE = 48
SIZES = (100, 320, 180)  # width of a card: least, largest, first; pixels
SHARP = 190  # width up to which the store's small thumbnails are sharp enough
_SIZE = "ueo.thumb-size"  # the width chosen; the state of a slider is lost when its page is left

_STYLE = """<style>
.ueo-grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(104px, 1fr)); gap: 10px; }
.ueo-grid figure { margin: 0; min-width: 0; }
.ueo-grid img { width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 6px; display: block; }
.ueo-grid figcaption { font-size: 0.72rem; opacity: 0.8; white-space: nowrap; overflow: hidden;
  text-overflow: ellipsis; }
</style>"""
_SELECTABLE = st.components.v2.component(
    "ueo_image_grid",
    html='<div class="grid"></div>',
    css=thumbs.STYLE.removeprefix("<style>").removesuffix("</style>")
    + """
.ueo-thumb { cursor: pointer; }
.ueo-thumb:hover { border-color: #0072B2; }
.ueo-thumb:focus-visible { outline: 3px solid #0072B2; outline-offset: 2px; }
.ueo-thumb.selected { border: 2px solid #0072B2; box-shadow: 0 0 0 2px #0072B2; }
""",
    js=(ROOT / "assets" / "inspect" / "image_grid.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True)
class Thumbnail:
    """One image and the text below it; the text is untrusted."""

    jpeg: bytes
    caption: str


def image_grid(images: Sequence[Thumbnail]) -> None:
    """Draw one page of thumbnails; captions are text, never markup."""
    figures = "".join(
        f'<figure title="{escaped(image.caption)}"><img alt="{escaped(image.caption)}" '
        f'src="data:image/jpeg;base64,{base64.b64encode(image.jpeg).decode()}">'
        f"<figcaption>{escaped(image.caption)}</figcaption></figure>"
        for image in images
    )
    st.html(f'{_STYLE}<div class="ueo-grid">{figures}</div>')


def page_indices(count: int, key: str) -> range:
    """A pager over `count` images if there is more than one page. → the indices to show"""
    number = -(-count // PER_PAGE)
    page = st.pagination(number, key=key) if number > 1 else 1
    page = min(max(1, page or 1), max(1, number))
    return range((page - 1) * PER_PAGE, min(count, page * PER_PAGE))


def thumb_size() -> int:
    """The width of a card that was chosen last, pixels."""
    return st.session_state.get(_SIZE, SIZES[2])


def size_slider(key: str) -> int:
    """A slider for the size of the images, the same on all pages. → pixels"""
    low, high, _ = SIZES
    return st.slider(
        "Size of the images",
        low,
        high,
        thumb_size(),
        20,
        key=key,
        width=190,
        format="%d px",
        on_change=lambda: st.session_state.update({_SIZE: st.session_state[key]}),
    )


def selectable_grid(
    images: Sequence[int],
    card: Callable[[int], str],
    key: str,
    on_select: Callable[[int], None],
    selected: int | None = None,
) -> None:
    """The cards of `images` with a pager; on_select is called with the image that is clicked."""
    if not len(images):
        st.caption("No images match.")
        return
    shown = [int(images[i]) for i in page_indices(len(images), f"{key}.page")]

    def changed() -> None:
        if (image := st.session_state[f"{key}.grid"].selected) is not None:
            on_select(int(image))

    _SELECTABLE(
        key=f"{key}.grid",
        data={
            "html": thumbs.strip([card(i) for i in shown], thumb_size()),
            "images": shown,
            "selected": selected,
        },
        on_selected_change=changed,
    )
