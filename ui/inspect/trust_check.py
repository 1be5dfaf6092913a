"""Inspect: a dozen questions, one key each, and one sentence that says which model to use."""

import streamlit as st

from ueo_core.analysis.hand_labels import UNCLEAR
from ueo_core.analysis.run_result import Inspection, SetResult
from ueo_core.analysis.trust_check import TrustCheck, trust_check
from ueo_core.evaluation.intervals import Interval
from ueo_core.evaluation.trust_check import DOZEN
from ui.common import shell
from ui.common.text import escaped, markdown
from ui.inspect import image_card, state

TAB = "Trust check"


def _open(opened: Inspection, part: SetResult) -> TrustCheck:
    return trust_check(shell.manager().folder(opened.run), opened, part)


def headline(opened: Inspection, part: SetResult) -> None:
    """Above the tabs, unless the check's own is open: its sentence, and the way to it."""
    if (st.session_state.get("inspect.go") or st.session_state.get(state.TAB)) == TAB:
        return
    check = _open(opened, part)
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f"**Trust check.** {markdown(check.sentence())}", width="stretch")
        st.button(
            "Show the check" if check.answers else "Check in 30 seconds",
            icon=":material/verified_user:",
            key="inspect.trust.go",
            on_click=_go,
        )


def _go() -> None:
    st.session_state["inspect.go"] = TAB


def show(opened: Inspection, part: SetResult) -> None:
    """The next image with its keys, or what the answers say."""
    if opened.step != opened.final:
        st.info("The trust check is about the final model. Select the final model to continue.")
        return
    check = _open(opened, part)
    chosen = f"inspect.trust.{opened.run}.{part.name}.goal"
    goal = max(st.session_state.get(chosen, 0), _dozens(len(check.usable)))
    image = check.next
    if image is None or len(check.usable) >= goal:
        _result(check, image, chosen, goal)
        return
    st.progress(
        min(1.0, len(check.usable) / min(goal, len(check.order))),
        text=f"{len(check.usable)} of {min(goal, len(check.order))} images answered",
    )
    left, right = st.columns([1, 1], gap="large")
    with left:
        image_card.picture(part.reference, image)
    with right:
        _keys(check, image)


def _dozens(n: int) -> int:
    """The end of the dozen that n answers have begun, and at least one dozen."""
    return max(DOZEN, -(-n // DOZEN) * DOZEN)


def _keys(check: TrustCheck, image: int) -> None:
    keys = check.keys(image)
    alike = len({*check.decisions[:, image].tolist()}) == 1
    st.markdown(
        f"**All models decide the same: {markdown(keys[0].label.removeprefix('Right: '))}.** "
        "Is it right? Press the key, or click."
        if alike
        else "**The models disagree. What is it?** Press the key, or click."
    )
    for key, answer in enumerate(keys, 1):
        st.button(
            markdown(answer.label),
            key=f"inspect.trust.{key}",
            shortcut=str(key),
            on_click=shell.attempt,
            args=(check.give, image, answer.truth),
        )
    with st.container(horizontal=True):
        st.button(
            "Cannot tell",
            key="inspect.trust.skip",
            shortcut="S",
            icon=":material/skip_next:",
            on_click=shell.attempt,
            args=(check.give, image, UNCLEAR),
            help="The image is left out, and another one is asked.",
        )
        _undo(check)
    st.caption(
        "Half of the images are those on which the models disagree, a quarter is close to the "
        "threshold, and each is weighted by how many images it stands for. Answers are used for "
        "scoring, never for training."
    )


def _undo(check: TrustCheck) -> None:
    st.button(
        "Undo",
        key="inspect.trust.undo",
        shortcut="Z",
        icon=":material/undo:",
        disabled=not check.answers,
        on_click=shell.attempt,
        args=(check.undo,),
    )


def _result(check: TrustCheck, image: int | None, chosen: str, goal: int) -> None:
    st.success(markdown(check.sentence()), icon=":material/verified_user:")
    if found := check.estimate():
        rows = "".join(
            f"<tr><th>{escaped(name[:1].upper() + name[1:])}</th><td>{_cell(accuracy, ' %')}</td>"
            f"<td>{'' if m == found.best else _cell(lead, '')}</td></tr>"
            for m, (name, accuracy, lead) in enumerate(
                zip(check.models, found.accuracy, found.lead, strict=True)
            )
        )
        st.html(
            '<table class="ueo-table"><thead><tr><th>Model</th><th>Estimated accuracy</th>'
            f"<th>The best has more, points</th></tr></thead><tbody>{rows}</tbody></table>"
        )
        st.caption(
            f"From {found.n} answers; the models disagree on {check.disagreements:,} of "
            f"{len(check.order):,} images. Accuracy: share of images whose class, or unknown, is decided "
            "correctly. In parentheses: 95 % intervals (Clopper and Pearson, stratified)."
        )
    with st.container(horizontal=True):
        if image is not None:
            st.button(
                "Twelve more",
                icon=":material/add:",
                key="inspect.trust.more",
                on_click=_more,
                args=(chosen, goal),
                help="The sample continues where it stopped; all answers count.",
            )
        _undo(check)


def _more(chosen: str, goal: int) -> None:
    st.session_state[chosen] = goal + DOZEN


def _cell(found: Interval, unit: str) -> str:
    sign = "" if unit else "+"
    return f"{found.value:{sign}.0f}{unit} ({found.low:{sign}.0f} to {found.high:{sign}.0f})"
