"""A wall of thumbnails in which one can be chosen, page by page."""

from collections.abc import Callable, Sequence

import streamlit as st

from ui.common import gallery, thumbs
from ui.common.shell import ROOT

_COMPONENT = st.components.v2.component(
    "ueo_wall",
    html='<div class="wall"></div>',
    css=thumbs.STYLE.removeprefix("<style>").removesuffix("</style>")
    + """
.ueo-thumb { cursor: pointer; }
.ueo-thumb:hover { border-color: #0072B2; }
.ueo-thumb:focus-visible { outline: 3px solid #0072B2; outline-offset: 2px; }
.ueo-thumb.chosen { border: 2px solid #0072B2; box-shadow: 0 0 0 2px #0072B2; }
""",
    js=(ROOT / "assets" / "inspect" / "wall.js").read_text(encoding="utf-8"),
)


def show(
    images: Sequence[int],
    card: Callable[[int], str],
    key: str,
    on_pick: Callable[[int], None],
    chosen: int | None = None,
) -> None:
    """One page of the cards of `images` and the pager. on_pick is told the image chosen."""
    if not len(images):
        st.caption("No image is like that.")
        return
    shown = [int(images[i]) for i in gallery.pages(len(images), f"{key}.page")]

    def picked() -> None:
        if (image := st.session_state[f"{key}.wall"].picked) is not None:
            on_pick(int(image))

    _COMPONENT(
        key=f"{key}.wall",
        data={
            "html": thumbs.strip([card(i) for i in shown]),
            "images": shown,
            "chosen": chosen,
        },
        on_picked_change=picked,
    )
