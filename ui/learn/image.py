"""One image: from cosines to weight and OOD score, zero-shot and adapted."""

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from ueo_core.learn.link import Link
from ueo_core.utils.errors import UserError
from ui.common.shell import problem
from ui.common.text import escaped
from ui.learn import demo_cache, live, state
from ui.learn.cards import image_url
from ui.learn.component import SLIDER, component

if TYPE_CHECKING:  # they load torch
    from torch import Tensor

    from ueo_core.learn.demo import Demo

_IMAGE = component("image", "image.html", ("plot.css", "image.css"), (*SLIDER, "image.js"))


def show(link: Link) -> None:
    """Choose or upload an image, set the temperature and see the results."""
    try:
        demo = demo_cache.all_computed()
    except UserError as error:
        problem(error)
        return
    _draw(link, demo)


def _draw(link: Link, demo: "Demo") -> None:
    """The image, and the numbers of every temperature, in which the page's script looks them up."""
    from ueo_core.learn.picture_data import image_data, temperature_index

    left, right = st.columns([1, 3.4], gap="medium")
    with left:
        pixels, image = _choose(link, demo)
    latest = live.latest_adapter()
    models = {"Zero-shot": _cosines(demo, pixels, None, image, 0)}
    if latest:
        step, adapter = latest
        models[f"Adapted, step {step}"] = _cosines(demo, pixels, adapter, image, step)
    else:
        with left:
            live.link_to_live_run(link, "The adapted model appears here")
    with right:
        _IMAGE(
            key="learn.lens",
            data=image_data(demo, models)
            | {
                "place": temperature_index(demo, state.last_sent().temperature),
                "movable": state.is_shown(link, "zoom"),
            },
            on_now_change=lambda: _temperature_changed(demo),
        )


def _temperature_changed(demo: "Demo") -> None:
    """The viewer chose another temperature of the sweep."""
    temperatures = demo.sweep.temperatures
    now = st.session_state["learn.lens"].now or {}
    chosen = temperatures[min(max(int(now.get("place", 0)), 0), len(temperatures) - 1)]
    state.remember(settled=True, temperature=round(float(chosen), 2))


def _choose(link: Link, demo: "Demo") -> tuple[np.ndarray, str]:
    """A drawing of the test set or an uploaded image. → pixels, a key that identifies it"""
    from ueo_core.learn.one_image import pixels_of_upload

    dropped = None
    if state.is_shown(link, "drop"):
        dropped = st.file_uploader(
            "Upload an image, or choose a drawing",
            type=["png", "jpg", "jpeg", "webp", "gif", "bmp"],
            max_upload_size=20,
            key="learn.drop",
        )
    if dropped is not None:
        try:
            pixels = pixels_of_upload(dropped.name, dropped.getvalue())
            st.image(pixels, width=220, caption="Your image", alt="Your image")
            return pixels, f"dropped-{dropped.file_id}"
        except UserError as error:
            problem(error)
    n = len(demo.problem.test)
    i = link.picked % n
    if state.is_shown(link, "pick"):
        with st.container(horizontal=True):
            for label, by, shortcut in (("Previous", -7, "K"), ("Next", 7, "L")):
                st.button(
                    label,
                    shortcut=shortcut,
                    key=f"learn.pick.{by}",
                    on_click=lambda by=by: state.change(picked=(i + by) % n),
                )
    noun = demo.problem.test[i]
    kind = "known: one of the classes" if demo.truth[i] >= 0 else "unknown: none of the classes"
    st.html(
        f'<img src="{image_url(demo.image(i))}" style="width:100%;max-width:min(18rem,26vh);'
        f'border-radius:0.5rem" alt="Drawing of {escaped(noun)}"><p><b>{escaped(noun)}</b> ({kind})</p>'
    )
    return demo.pixels(i), f"drawing-{i}"


def _cosines(
    demo: "Demo", pixels: np.ndarray, adapter: "dict[str, Tensor] | None", image: str, step: int
) -> np.ndarray:
    """Cosines of an image with a model, kept for the session: a new temperature needs no model."""
    kept = st.session_state.setdefault("learn.cosines", {})
    key = (image, live.newest_run() if adapter else None, step)
    if key not in kept:
        if len(kept) > 40:
            kept.clear()
        kept[key] = demo.cosines_of(pixels, adapter)
    return kept[key]
