"""Inspect: label a few images by keyboard, and get estimates with confidence intervals."""

import contextlib
from functools import lru_cache

import streamlit as st

from ueo_core.analysis.hand_estimates import FEWEST, Estimates, estimate_by_hand
from ueo_core.analysis.hand_labels import (
    OTHER,
    UNCLEAR,
    candidates,
    hand_labels_stamp,
    load_answers,
    load_hand_labels,
    save_hand_labels,
)
from ueo_core.analysis.run_result import Inspection, SetResult
from ueo_core.evaluation.metrics import OOD
from ueo_core.runs.folder import RunFolder
from ueo_core.utils.errors import UserError
from ui.common import shell
from ui.common.text import markdown
from ui.inspect import image_card

GOALS = (20, 40, 80, 160)  # images; one takes a second or two
NONE = "None of them"


@lru_cache(maxsize=32)
def _estimated(opened, part: str, score: str, path: str, stamp: int):
    """The estimates from the labels in the file as it was at `stamp`."""
    part = opened.parts[part]
    return estimate_by_hand(part, load_hand_labels(RunFolder(path), part), score)


def estimates(opened: Inspection, part: SetResult, score: str) -> Estimates | None:
    """The estimates from the labels given so far; None while they are too few."""
    folder = shell.manager().folder(opened.run)
    stamp = hand_labels_stamp(folder)
    return _estimated(opened, part.name, score, str(folder.path), stamp) if stamp else None


def show(opened: Inspection, part: SetResult, score: str) -> None:
    """The next image with its buttons, or how to start."""
    folder = shell.manager().folder(opened.run)
    if opened.step != opened.final:
        st.info(
            "The sample depends on the final model's score. Select the final model to label images."
        )
        return
    labels = load_hand_labels(folder, part)
    started = f"inspect.label.{opened.run}.{part.name}"
    if not labels.given and not st.session_state.get(started):
        _introduction(part, started)
        return
    answers = load_answers(folder, part, opened.final)  # of the trust check
    if labels.fill({i: label for i, label in answers.items() if label != OTHER}):
        with contextlib.suppress(UserError):  # known already, so they are found again
            save_hand_labels(folder, labels)
    goal = _goal(labels, part)
    _progress(labels, goal)
    image = labels.next
    if image is None or len(labels.given) >= goal:
        _done(folder, labels, goal, image)
        return
    left, right = st.columns([1, 1], gap="large")
    with left:
        image_card.picture(part.reference, image)
    with right:
        _keys(opened, part, folder, labels, image)


def _introduction(part: SetResult, started: str) -> None:
    with st.container(border=True):
        st.markdown(
            "**Label a few images to measure the improvement.** You see a sample of the "
            f"{len(part):,} images, spread over the range of the score, and press a key for the class of "
            "each. This gives estimates of the accuracy before and after, the AUC and the share of unknown "
            "images, each with a 95 % interval. The labels are used for scoring, never for training."
        )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.segmented_control(
                "Number of images",
                GOALS,
                default=40,
                required=True,
                key="inspect.label.goal",
                help="Choose it before you start: stopping when the result looks good would bias it.",
            )
            st.button(
                "Start labeling",
                type="primary",
                icon=":material/keyboard:",
                on_click=_start,
                args=(started,),
            )


def _start(started: str) -> None:
    st.session_state[started] = True
    st.session_state["inspect.label.chosen"] = st.session_state["inspect.label.goal"]


def _goal(labels, part: SetResult) -> int:
    wanted = st.session_state.get("inspect.label.chosen", 40)
    return min(len(labels.order), max(wanted, 1), len(part))


def _progress(labels, goal: int) -> None:
    n = len(labels.given)
    few = f" · estimates appear from {FEWEST} labels on" if n < FEWEST else ""
    st.progress(min(1.0, n / goal), text=f"{n} of {goal} images labeled{few}")


def _done(folder, labels, goal: int, image: int | None) -> None:
    st.success(
        f"{len(labels.given)} images are labeled; the verdict above is based on them.",
        icon=":material/check_circle:",
    )
    with st.container(horizontal=True):
        if image is not None:
            st.button(
                "Label more",
                icon=":material/add:",
                on_click=_more,
                args=(goal,),
                help="The sample continues where it stopped; all labels count.",
            )
        _undo(folder, labels)


def _more(goal: int) -> None:
    st.session_state["inspect.label.chosen"] = next((g for g in GOALS if g > goal), goal + 80)


def _keys(opened, part, folder, labels, image: int) -> None:
    choices = candidates(part, image)
    st.markdown("**Which class is it?** Press the key, or click.")
    with st.container(horizontal=True, key="inspect-label-keys"):
        for key, c in enumerate(choices, 1):
            st.button(
                markdown(opened.classes[c]),
                key=f"inspect.label.{key}",
                shortcut=str(key),
                on_click=_give,
                args=(folder, labels, image, c),
            )
        st.button(
            NONE,
            key="inspect.label.0",
            shortcut="0",
            icon=":material/block:",
            on_click=_give,
            args=(folder, labels, image, OOD),
        )
    if len(choices) < len(opened.classes):
        key = f"inspect.label.other.{image}"
        st.selectbox(
            "Another class",
            range(len(opened.classes)),
            index=None,
            key=key,
            format_func=opened.classes.__getitem__,
            placeholder="Type to search",
            on_change=lambda: _give(folder, labels, image, st.session_state[key]),
            help="The buttons are the top predictions of both models, in the order of your class list.",
        )
    with st.container(horizontal=True):
        st.button(
            "Cannot tell",
            key="inspect.label.skip",
            shortcut="S",
            icon=":material/skip_next:",
            on_click=_give,
            args=(folder, labels, image, UNCLEAR),
            help="The image is left out of the estimates.",
        )
        _undo(folder, labels)


def _undo(folder, labels) -> None:
    st.button(
        "Undo",
        key="inspect.label.undo",
        shortcut="Z",
        icon=":material/undo:",
        disabled=not labels.given,
        on_click=_undo_last,
        args=(folder, labels),
    )


def _give(folder, labels, image: int, label: int | None) -> None:
    if label is not None and labels.next == image:  # a second press of the same key changes nothing
        labels.give(image, label)
        shell.attempt(save_hand_labels, folder, labels)


def _undo_last(folder, labels) -> None:
    labels.undo()
    shell.attempt(save_hand_labels, folder, labels)
