"""The verdict on a run, as Live, Inspect and Use show it."""

from __future__ import annotations  # the core types load scikit-learn, which takes seconds

from functools import lru_cache
from typing import TYPE_CHECKING

import streamlit as st

from ueo_core.runs.folder import RunFolder
from ui.common.learn_link import why
from ui.common.shell import manager
from ui.common.text import markdown

if TYPE_CHECKING:
    from ueo_core.analysis.run_result import Inspection
    from ueo_core.analysis.verdict import Verdict

BOXES = {
    "better": (st.success, ":material/trending_up:"),
    "worse": (st.error, ":material/trending_down:"),
    "mixed": (st.warning, ":material/swap_vert:"),
    "same": (st.info, ":material/trending_flat:"),
    "unlabelled": (st.info, ":material/help:"),
}


@lru_cache(maxsize=8)  # of a million images, one takes some 100 MB with two scores
def _opened(path: str, stamp: int, step: int | None) -> Inspection:
    from ueo_core.analysis.run_result import read_inspection

    return read_inspection(RunFolder(path), step)


def inspection(run: str, step: int | None = None) -> Inspection:
    """A finished run's result, kept until the run writes another; UserError when it has none.

    step: of a checkpoint that has been scored; None: the final one.
    """
    from ueo_core.analysis.run_result import read_inspection

    folder = manager().folder(run)
    result = folder.path / "result.json"
    stamp = result.stat().st_mtime_ns if result.is_file() else 0
    if not stamp or folder.state["state"] != "finished":
        return read_inspection(folder)  # says what is missing
    return _opened(str(folder.path), stamp, step)


@lru_cache(maxsize=16)
def judged(opened: Inspection, part: str, score: str) -> Verdict:
    """The verdict on one set by one score; the bootstrap is drawn once."""
    from ueo_core.analysis.verdict import judge

    return judge(opened.parts[part], score, opened.classes)


def show_guard(opened: Inspection, where: str = "It is available on the Use page.") -> None:
    """What is recommended without labels, and why; nothing if the safety check was off.

    where: the control that gives the recommended model, where that is not the adapted one.
    """
    if opened.guard is None:
        return
    guard = opened.guard
    fine = guard["share"] == 1
    text = f"**Safety check (no labels):** {markdown(guard['reason'])}"
    text += "" if fine else f" {where}"
    if fine:
        st.caption(f":material/verified_user: {text}")
    elif guard.get("model") and guard["share"]:  # a better point of the run is no bad sign
        st.info(text, icon=":material/verified_user:")
    else:
        st.warning(text, icon=":material/gpp_maybe:")


def show_verdict(verdict: Verdict) -> None:
    """A colored box with the headline and the sentences, what got worse first."""
    box, icon = BOXES[verdict.kind]
    lines = [f"**{markdown(verdict.headline)}**", *(f"- {markdown(s)}" for s in verdict.sentences)]
    box("\n\n".join([lines[0], "\n".join(lines[1:])]), icon=icon)
    if verdict.kind in ("worse", "mixed"):
        why("failure", "When does adaptation fail?")
