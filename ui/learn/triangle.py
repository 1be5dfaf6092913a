"""The triangle: a drawing script fed with trajectories, and the knobs beside it.

Knobs, presets and the play bar belong to the script: a turn of a knob sends one small message,
and what comes back is one element. As separate widgets they made each update twice as slow.
"""

from dataclasses import asdict

import streamlit as st

from ueo_core.learn.knobs import KINDS, PRESETS, STEPS, Knobs
from ueo_core.learn.link import Link, turned
from ueo_core.learn.scenes import ARROWS, DOTS, SWITCHES, Look
from ui.learn import state
from ui.learn.script import picture

_COMPONENT = picture(
    "triangle",
    "triangle.html",
    ("triangle.css",),
    ("mount.js", "marks.js", "canvas.js", "knobs.js", "triangle.js"),
)
HANDLES = {  # knob → what kind of control, its label, what it does
    "kind": ("select", "Unknown images are", "What the images of no class look like."),
    "share": ("range", "Unknown images in the batch, %", ""),
    "sure": (
        "range",
        "Confidence of known images at the start",
        "How clearly known images show their class.",
    ),
    "trade": (
        "range",
        "λ: weight of term two",
        "The paper's value is 1. At 0 there is no term two.",
    ),
    "temperature": (
        "range",
        "Temperature of the weights",
        "1: as the paper writes it (scaled). 8, the logit scale of this triangle: unscaled "
        "cosines, as in the released script.",
    ),
    "absent": ("checkbox", "No images of class C", "Leaves one class without an image."),
    "seed": ("number", "Seed of the batch", "Draws the images: another seed gives another batch."),
}
_TURNED = "learn.turned"  # names of the knobs that were turned last
DIGITS = {"share": 0, "sure": 2, "trade": 1, "temperature": 1}


def show(link: Link, look: Look, with_knobs: bool = False, with_presets: bool = False) -> None:
    """The triangle of each method in `look` with its play bar, and what the link does not hide."""
    from ueo_core.learn.payload import payload
    from ueo_core.learn.prefetch import get_ready  # torch: seconds at the first time

    asked = state.sent()
    key = _key(link)
    data = payload(link.knobs, look.methods) | {
        "look": {"arrows": asked.arrows or look.arrows, "dots": asked.dots or look.dots}
        | {
            n: getattr(asked, n) == "1" if getattr(asked, n) else getattr(look, n) for n in SWITCHES
        },
        "step": asked.step,
        "heard": (_said(key)).get("id", 0),
        "about": link.view != "story",
        "choices": {"arrows": ARROWS, "dots": DOTS},
        "knobs": asdict(link.knobs),
        "handles": _handles(link) if with_knobs and state.shown(link, "knobs") else [],
        "presets": _presets() if with_presets and state.shown(link, "presets") else [],
        "show": {
            "play": state.shown(link, "play"),
            # Presented, a symbol of the formula decides what is shown, and the height is the picture's.
            "look": state.shown(link, "look") and not (link.view == "formula" and link.present),
            "batch": state.shown(link, "seed"),
            "drag": state.shown(link, "drag"),
            "large": bool(link.present),
        },
    }
    _COMPONENT(key=key, data=data, on_now_change=lambda: _noted(key, look))
    get_ready(link.knobs, st.session_state.get(_TURNED, ()))


def _key(link: Link) -> str:
    """A mount of its own for every scene: what is left of one must not show up in the next."""
    return f"learn.triangle.{link.view}.{link.scene if link.view == 'story' else ''}"


def _handles(link: Link) -> list[dict]:
    """Every knob that the link does not hide, as the script draws it."""
    found = []
    for name, (kind, label, help) in HANDLES.items():
        if not state.shown(link, name):
            continue
        low, high, step = Knobs.RANGES.get(name, (0, 0, 0))
        found.append(
            {
                "name": name,
                "kind": kind,
                "label": label,
                "help": help,
                "choices": KINDS,
                "low": low,
                "high": high,
                "step": step,
                "digits": DIGITS.get(name, 0),
            }
        )
    return found


def _presets() -> list[dict]:
    """The named settings; each keeps the seed that is chosen. What was moved goes back."""
    return [
        {
            "key": key,
            "title": preset.title,
            "look": preset.look,
            "knobs": {k: v for k, v in asdict(preset.knobs).items() if k != "seed"},
        }
        for key, preset in PRESETS.items()
    ]


def _said(key: str) -> dict:
    """The script's last message."""
    return (st.session_state[key].now if key in st.session_state else None) or {}


def _noted(key: str, look: Look) -> None:
    """The viewer turned a knob, halted somewhere or chose another look: it becomes the state.

    The address follows once the hand has let go, or every place of a slider would be a
    station of the browser's Back button.
    """
    now, link = _said(key), state.load()
    if key != _key(link):  # said as the scene was turned: the next one has a batch of its own
        return
    chosen = {
        "arrows": now["arrows"] if now.get("arrows") in ARROWS else look.arrows,
        "dots": now["dots"] if now.get("dots") in DOTS else look.dots,
    } | {name: bool(now.get(name)) for name in SWITCHES}
    changed = {k: v if v != getattr(look, k) else "" for k, v in chosen.items()}
    knobs = turned(now.get("knobs") or {}, link.knobs)
    names = [n for n in Knobs.RANGES if getattr(knobs, n) != getattr(link.knobs, n)]
    if names:
        st.session_state[_TURNED] = names
    state.note(
        settled=bool(now.get("settled")),
        step=min(max(int(now.get("step", 0)), 0), STEPS),
        knobs=knobs,
        **{k: str(int(v)) if isinstance(v, bool) else v for k, v in changed.items()},
    )
