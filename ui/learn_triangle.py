"""The triangle: a drawing script fed with trajectories, and the knobs beside it."""

import streamlit as st

from ueo_core.learn import ARROWS, DOTS, KINDS, PRESETS, Knobs, Link, Look
from ueo_core.learn.knobs import STEPS, preset_of
from ui import learn_state as state
from ui.shell import ROOT

_FOLDER = ROOT / "assets" / "learn"
_COMPONENT = st.components.v2.component(
    "ueo_learn_triangle",
    html=(_FOLDER / "triangle.html").read_text(encoding="utf-8"),
    css=(_FOLDER / "triangle.css").read_text(encoding="utf-8"),
    js="\n".join(
        (_FOLDER / name).read_text(encoding="utf-8")
        for name in ("marks.js", "canvas.js", "triangle.js")
    ),
)
# Beside the triangle where there is room for both, below it where there is not.
_STYLE = """<style>
.st-key-learn-stage > :has(> .st-key-learn-picture), .st-key-learn-stage > .st-key-learn-picture
{ flex: 999 1 38rem !important; min-width: min(100%, 38rem); width: auto; }
.st-key-learn-stage > :has(> .st-key-learn-knobs), .st-key-learn-stage > .st-key-learn-knobs
{ flex: 1 1 17rem !important; min-width: 0; width: auto; }
</style>"""
KNOB = 270  # pixels, the width of one
LABELS = {
    "trade": "λ: weight of term two",
    "temperature": "Temperature of the weights",
    "share": "Strangers in the batch, %",
    "sure": "How clearly known images show their class",
    "seed": "Seed of the batch",
}
HELPS = {
    "trade": "The paper's value is 1. At 0 term two is gone.",
    "temperature": "1: as the paper writes it (scaled). 8, the logit scale of this triangle: unscaled "
    "cosines, as in the released script.",
    "sure": "Moves the confidence of the known cluster at the start.",
}


def presets(link: Link) -> None:
    """The named settings, as buttons."""
    if not state.shown(link, "presets"):
        return
    now = preset_of(link.knobs)
    with st.container(horizontal=True, gap="small", key="learn-presets"):
        for name, preset in PRESETS.items():
            st.button(
                preset.title,
                key=f"learn.preset.{name}",
                type="primary" if name == now else "secondary",
                on_click=_choose,
                args=(name,),
            )
    # Always one line: what comes and goes up here would mount everything below anew.
    st.caption(PRESETS[now].look if now else "Your own setting.")


def _choose(name: str) -> None:
    state.change(knobs=PRESETS[name].knobs, step=0)


def stage(link: Link, look: Look, with_knobs: bool) -> None:
    """The triangle of each method in `look`, and the knobs unless the link hides them."""
    st.html(_STYLE)
    if not (with_knobs and state.shown(link, "knobs")):
        picture(link, look)
        return
    with st.container(horizontal=True, gap="medium", key="learn-stage"):
        with st.container(key="learn-picture"):
            picture(link, look)
        with st.container(key="learn-knobs", horizontal=True, gap="medium"):
            knobs(link)


def picture(link: Link, look: Look) -> None:
    """The triangles with their play bar."""
    from ueo_core.learn.payload import payload  # torch: seconds at the first time

    asked = state.sent()
    data = payload(link.knobs, look.methods) | {
        "look": {
            "arrows": asked.arrows or look.arrows,
            "dots": asked.dots or look.dots,
            "star": look.star if asked.star == "" else asked.star == "1",
            "shade": look.shade if asked.shade == "" else asked.shade == "1",
        },
        "step": asked.step,
        "about": link.view != "story",
        "choices": {"arrows": ARROWS, "dots": DOTS},
        "show": {
            "play": state.shown(link, "play"),
            "look": state.shown(link, "look"),
        },
    }
    # A mount of its own for every scene: what is left of one must not show up in the next.
    key = f"learn.triangle.{link.view}.{link.scene if link.view == 'story' else ''}"
    _COMPONENT(key=key, data=data, on_at_change=lambda: _noted(key, look))


def _noted(key: str, look: Look) -> None:
    """The viewer halted somewhere or chose another look: what differs goes into the URL."""
    at = st.session_state[key].at or {}
    chosen = {
        "arrows": at.get("arrows") if at.get("arrows") in ARROWS else look.arrows,
        "dots": at.get("dots") if at.get("dots") in DOTS else look.dots,
        "star": bool(at.get("star")),
        "shade": bool(at.get("shade")),
    }
    changed = {k: v if v != getattr(look, k) else "" for k, v in chosen.items()}
    for name in ("star", "shade"):
        if changed[name] != "":
            changed[name] = str(int(changed[name]))
    state.note(step=min(max(int(at.get("step", 0)), 0), STEPS), **changed)


def knobs(link: Link) -> None:
    """Every knob that the link does not hide."""
    if state.shown(link, "kind"):
        _selectbox()
    for name in ("share", "sure", "trade", "temperature"):
        if state.shown(link, name):
            low, high, step = Knobs.RANGES[name]
            st.slider(
                LABELS[name],
                low,
                high,
                step=step,
                key=state.key(f"knob.{name}"),
                on_change=state.take_knob,
                args=(name,),
                help=HELPS.get(name),
                width=KNOB,
            )
    if state.shown(link, "absent"):
        st.checkbox(
            "Nobody photographed class C",
            key=state.key("knob.absent"),
            on_change=state.take_knob,
            args=("absent",),
            width=KNOB,
        )
    if state.shown(link, "seed"):
        low, high, step = Knobs.RANGES["seed"]
        st.number_input(
            LABELS["seed"],
            low,
            high,
            step=step,
            key=state.key("knob.seed"),
            on_change=state.take_knob,
            args=("seed",),
            width=KNOB,
        )


def _selectbox() -> None:
    st.selectbox(
        "Strangers are",
        list(KINDS),
        format_func=KINDS.get,
        key=state.key("knob.kind"),
        on_change=state.take_knob,
        args=("kind",),
        width=KNOB,
    )
