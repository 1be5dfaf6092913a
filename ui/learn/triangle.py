"""The triangle: a drawing script that shows trajectories, and the settings beside it.

Settings, presets and the playback bar belong to the script: a change sends one small message, and
one element is updated. As widgets of Streamlit they made the response twice as slow.
"""

from dataclasses import asdict

import streamlit as st

from ueo_core.learn.link import Link, settings_from_script
from ueo_core.learn.scenes import ARROWS, DOTS, SWITCHES, Look
from ueo_core.learn.triangle_settings import KINDS, PRESETS, STEPS, TriangleSettings
from ui.learn import state
from ui.learn.component import component

_COMPONENT = component(
    "triangle",
    "triangle.html",
    ("triangle.css",),
    ("mount.js", "marks.js", "canvas.js", "settings.js", "triangle.js"),
)
CONTROLS = {  # setting → kind of control, label, help
    "kind": ("select", "Unknown images are", "What the images of no class show."),
    "share": ("range", "Unknown images in the batch, %", ""),
    "sure": (
        "range",
        "Class feature of known images",
        "The larger it is, the higher the zero-shot confidence on known images.",
    ),
    "trade": (
        "range",
        "λ: weight of term two",
        "The paper uses 1. At 0, term two is switched off.",
    ),
    "temperature": (
        "range",
        "Temperature of the weights",
        "1: scaled cosines, as in the paper. 8, the logit scale of this triangle: unscaled "
        "cosines, as in the released script.",
    ),
    "absent": ("checkbox", "No image of class C", "One of the three classes has no image."),
    "seed": ("number", "Seed of the batch", "Each seed gives another random batch."),
}
_CHANGED = "learn.changed"  # names of the settings that were changed last
DIGITS = {"share": 0, "sure": 2, "trade": 1, "temperature": 1}


def show(link: Link, look: Look, with_settings: bool = False, with_presets: bool = False) -> None:
    """The triangle of each method in `look` with its playback bar, without what the link hides."""
    from ueo_core.learn.payload import payload
    from ueo_core.learn.prefetch import prefetch  # torch: takes seconds the first time

    sent = state.last_sent()
    key = _key(link)
    data = payload(link.settings, look.methods) | {
        "look": {"arrows": sent.arrows or look.arrows, "dots": sent.dots or look.dots}
        | {n: getattr(sent, n) == "1" if getattr(sent, n) else getattr(look, n) for n in SWITCHES},
        "step": sent.step,
        "received": _message(key).get("id", 0),
        "about": link.view != "story",
        "played": link.shows_result,
        "choices": {"arrows": ARROWS, "dots": DOTS},
        "settings": asdict(link.settings),
        "controls": _controls(link) if with_settings and state.is_shown(link, "knobs") else [],
        "presets": _presets() if with_presets and state.is_shown(link, "presets") else [],
        "show": {
            "play": state.is_shown(link, "play"),
            # While presenting the formula, the selected symbol determines the look; this saves height.
            "look": state.is_shown(link, "look") and not (link.view == "formula" and link.present),
            "batch": state.is_shown(link, "seed"),
            "drag": state.is_shown(link, "drag"),
            "large": bool(link.present),
        },
    }
    _COMPONENT(key=key, data=data, on_now_change=lambda: _changed(key, look))
    prefetch(link.settings, st.session_state.get(_CHANGED, ()))


def _key(link: Link) -> str:
    """The key of the triangle. One per scene, so that no state of a scene appears in the next."""
    return f"learn.triangle.{link.view}.{link.scene if link.view == 'story' else ''}"


def _controls(link: Link) -> list[dict]:
    """The control of every setting that the link does not hide, as data for the script."""
    found = []
    for name, (kind, label, help) in CONTROLS.items():
        if not state.is_shown(link, name):
            continue
        low, high, step = TriangleSettings.RANGES.get(name, (0, 0, 0))
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
    """The presets as data for the script. A preset keeps the seed and resets moved dots."""
    return [
        {
            "key": key,
            "title": preset.title,
            "hint": preset.hint,
            "settings": {k: v for k, v in asdict(preset.settings).items() if k != "seed"},
        }
        for key, preset in PRESETS.items()
    ]


def _finished(link: Link) -> bool:
    """Whether the scene was played to its end."""
    return bool(link.played) or link.step == STEPS


def _message(key: str) -> dict:
    """The script's last message."""
    return (st.session_state[key].now if key in st.session_state else None) or {}


def _changed(key: str, look: Look) -> None:
    """The viewer changed a setting, the step or the look: store it in the state.

    The address changes only when a slider is released. Else every value of a slider would be an
    entry in the browser's history.
    """
    now, link = _message(key), state.load()
    if key != _key(link):  # sent while the scene changed: the next one has its own batch
        return
    chosen = {
        "arrows": now["arrows"] if now.get("arrows") in ARROWS else look.arrows,
        "dots": now["dots"] if now.get("dots") in DOTS else look.dots,
    } | {name: bool(now.get(name)) for name in SWITCHES}
    changed = {k: v if v != getattr(look, k) else "" for k, v in chosen.items()}
    settings = settings_from_script(now.get("settings") or {}, link.settings)
    step = min(max(int(now.get("step", 0)), 0), STEPS)
    same = settings == link.settings
    names = [
        n for n in TriangleSettings.RANGES if getattr(settings, n) != getattr(link.settings, n)
    ]
    if names:
        st.session_state[_CHANGED] = names
    state.remember(
        settled=bool(now.get("settled")),
        step=step,
        settings=settings,
        # Another batch or preset is another experiment, with a prediction of its own.
        predicted=link.predicted if same else 0,
        played=int(link.view == "story" and (step == STEPS or (same and _finished(link)))),
        **{k: str(int(v)) if isinstance(v, bool) else v for k, v in changed.items()},
    )
