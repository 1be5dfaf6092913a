"""Use: which adapted model. One's own finished runs, and deltas brought in from elsewhere."""

import streamlit as st

import ueo_core as core
from ui import shell
from ui.plain import markdown
from ui.verdict import BOXES, inspection, judged
from ui.work import show_job

JOB = "use.delta"


def chosen() -> core.Offer | None:
    """The model to use, to change by a list; None, said with one button, where there is none."""
    if show_job(JOB, "use.checking", done=_brought, failed="use.model.problem"):
        return None
    runs = [e for e in core.catalogue(shell.manager()) if e.finished]
    deltas = core.brought_in()
    titles = {f"run:{run}": title for run, title in core.entry_labels(runs).items()}
    titles |= {f"delta:{id}": f"{o.title} · brought in ({id[:6]})" for id, o in deltas.items()}
    if problem := st.session_state.pop("use.model.problem", None):
        shell.problem(problem)
    if not titles:
        _empty()
        return None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        wanted = _wanted(titles)
        st.session_state["use.model"] = wanted
        picked = st.selectbox(
            "Adapted model",
            list(titles),
            format_func=titles.get,
            key="use.model",
            width=620,
            on_change=_switch,
        )
        _bring_in()
        if picked.startswith("delta:"):
            with st.popover("Take out", icon=":material/delete:"):
                st.markdown(
                    "Forget this delta and what was classified with it? Its file stays where you have it."
                )
                st.button("Take it out", type="primary", on_click=_take_out, args=(picked[6:],))
    kind, _, id = picked.partition(":")
    try:
        if kind != "run":
            return deltas[id]
        offer = core.read_offer(shell.manager().folder(id).path)
        return _guarded(offer) if offer.guard and offer.guard["share"] < 1 else offer
    except core.UserError as error:
        shell.problem(error)
        return None


def _guarded(offer: core.Offer) -> core.Offer:
    """The guard's choice, unless a person prefers the last epoch."""
    st.warning(markdown(offer.guard["reason"]), icon=":material/gpp_maybe:")
    if st.toggle("Use what the guard offers", value=True, key=f"use.guarded.{offer.run.name}"):
        return core.read_offer(offer.run, guarded=True)
    return offer


def _wanted(titles: dict[str, str]) -> str:
    """The model of the URL, else of this session, else the newest run."""
    if id := st.query_params.get("delta"):
        if f"delta:{id}" in titles:
            return f"delta:{id}"
        st.warning("The delta of this link is not here any more.")
        del st.query_params["delta"]
    run = shell.parameter("run")
    if run and run != "latest" and f"run:{run}" not in titles:
        st.info(
            "The run of this link has no result to use yet; here is another model.",
            icon=":material/info:",
        )
    return f"run:{run}" if f"run:{run}" in titles else next(iter(titles))


def _switch() -> None:
    kind, _, id = st.session_state["use.model"].partition(":")
    if kind == "delta":
        st.query_params["delta"] = id
    else:
        st.query_params.pop("delta", None)
        shell.set_parameter("run", id)


def _empty() -> None:
    st.info(
        "There is no adapted model yet. Finish a run, or bring in a delta that was exported elsewhere.",
        icon=":material/info:",
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Adapt a model", type="primary", icon=":material/tune:"):
            st.switch_page("pages/2_Adapt.py")
        _bring_in()


def about(offer: core.Offer) -> None:
    """The model in a line, and whether it can be trusted where that is known."""
    meta = offer.metadata
    classes = ", ".join(offer.classes[:8]) + (" …" if len(offer.classes) > 8 else "")
    method = core.METHODS.get(offer.settings.method)
    st.caption(
        f"{markdown(str(meta['backbone']))} · {method.title if method else offer.settings.method}, step "
        f"{meta.get('step', '?')} · {len(offer.classes)} classes: {markdown(classes)}"
    )
    if offer.run is None or offer.guarded:  # the verdict is on the last epoch
        return
    try:
        opened = inspection(offer.run.name)
    except core.UserError:
        return
    verdict = judged(opened, opened.default, core.DEFAULT_SCORE)
    if verdict.kind in ("worse", "mixed"):
        box, icon = BOXES[verdict.kind]
        box(f"**{markdown(verdict.headline)}** Think twice before you use it.", icon=icon)


# Bringing one in


def _bring_in() -> None:
    with st.popover("Bring in a delta", icon=":material/upload_file:"):
        st.markdown(
            "A `delta.safetensors` that a run or `export` wrote. It is checked against its model: weights, "
            "names, shapes, classes and prompt."
        )
        given = st.file_uploader("Delta", ["safetensors"], key="use.delta.file")
        backbone = pretrained = ""
        if shell.local():
            with st.expander("Its model is elsewhere on this machine"):
                backbone = st.text_input(
                    "Backbone",
                    key="use.delta.backbone",
                    placeholder="A name, or the path of a config .json",
                )
                pretrained = st.text_input(
                    "Weights", key="use.delta.weights", placeholder="A tag, or a checkpoint file"
                )
        st.button(
            "Check and bring in",
            type="primary",
            disabled=given is None,
            on_click=_check,
            args=(given and given.getvalue(), backbone.strip() or None, pretrained.strip() or None),
        )


def _check(data: bytes, backbone: str | None, pretrained: str | None) -> None:
    files = shell.local()
    shell.jobs().start(
        JOB,
        "Checking the delta",
        lambda job: core.bring_in(job, data, backbone, pretrained, files),
        again=True,
    )
    st.session_state["use.checking"] = True


def _brought(id: str) -> None:
    st.query_params["delta"] = id
    st.toast("The delta fits its model and was brought in.", icon=":material/check:")


def _take_out(id: str) -> None:
    core.take_out(id)
    st.query_params.pop("delta", None)
