"""Anatomy of one image: from cosines to weight and OOD score, zero-shot and adapted."""

import numpy as np
import streamlit as st

from ueo_core.learn.link import Link
from ueo_core.utils.errors import UserError
from ui.common.text import escaped
from ui.learn import live, stage_cache, state
from ui.learn.cards import image_url
from ui.learn.script import SLIDING, picture

_LENS = picture("lens", "lens.html", ("plot.css", "lens.css"), (*SLIDING, "lens.js"))


def show(link: Link) -> None:
    """Choose or drop an image, turn the temperature, see what becomes of it."""
    try:
        stage = stage_cache.seen_all()
    except UserError as error:
        st.error(str(error))
        return
    state.fragment(link, lambda: _anatomy(stage), "anatomy")


def _anatomy(stage) -> None:
    """The image, and what each temperature makes of it: the script beside it looks that up."""
    from ueo_core.learn.pictures import lens, place

    link = state.load()
    left, right = st.columns([1, 3.4], gap="medium")
    with left:
        pixels, image = _choose(link, stage)
    latest = live.latest_adapter()
    sides = {"Zero-shot": _cosines(stage, pixels, None, image, 0)}
    if latest:
        step, adapter = latest
        sides[f"Adapted, step {step}"] = _cosines(stage, pixels, adapter, image, step)
    else:
        with left:
            live.way_there(link, "The adapted model appears")
    with right:
        _LENS(
            key="learn.lens",
            data=lens(stage, sides)
            | {
                "place": place(stage, state.sent().temperature),
                "movable": state.shown(link, "zoom"),
            },
            on_now_change=lambda: _turned(stage),
        )


def _turned(stage) -> None:
    """The viewer chose another temperature, one of the sweep."""
    places = stage.sweep.temperatures
    now = st.session_state["learn.lens"].now or {}
    chosen = places[min(max(int(now.get("place", 0)), 0), len(places) - 1)]
    state.note(settled=True, temperature=round(float(chosen), 2))


def _choose(link: Link, stage) -> tuple[np.ndarray, str]:
    """A drawing of the test set or a dropped image. → pixels, what it is"""
    from ueo_core.learn.anatomy import from_upload

    dropped = None
    if state.shown(link, "drop"):
        dropped = st.file_uploader(
            "Drop an image, or choose a drawing",
            type=["png", "jpg", "jpeg", "webp", "gif", "bmp"],
            max_upload_size=20,
            key="learn.drop",
        )
    if dropped is not None:
        try:
            pixels = from_upload(dropped.name, dropped.getvalue())
            st.image(pixels, width=220, caption="Your image", alt="Your image")
            return pixels, f"dropped-{dropped.file_id}"
        except UserError as error:
            st.error(str(error))
    n = len(stage.problem.test)
    i = link.picked % n
    if state.shown(link, "pick"):
        with st.container(horizontal=True):
            for label, by, shortcut in (("Previous", -7, "K"), ("Next", 7, "L")):
                st.button(
                    label,
                    shortcut=shortcut,
                    key=f"learn.pick.{by}",
                    on_click=lambda by=by: state.change(picked=(i + by) % n),
                )
    noun = stage.problem.test[i]
    kind = "one of the classes" if stage.truth[i] >= 0 else "unknown: none of the classes"
    st.html(
        f'<img src="{image_url(stage.image(i))}" style="width:100%;max-width:min(18rem,26vh);'
        f'border-radius:0.5rem" alt="Drawing of {escaped(noun)}"><p><b>{escaped(noun)}</b>, {kind}</p>'
    )
    return stage.pixels(i), f"drawing-{i}"


def _cosines(stage, pixels: np.ndarray, adapter, image: str, step: int) -> np.ndarray:
    """Cosines of an image under a side, kept for the session: a temperature needs no network."""
    kept = st.session_state.setdefault("learn.cosines", {})
    key = (image, live.current() if adapter else None, step)
    if key not in kept:
        if len(kept) > 40:
            kept.clear()
        kept[key] = stage.cosines_of(pixels, adapter)
    return kept[key]
