"""Use: which adapted model. Finished runs, and imported adapters."""

from pathlib import Path

import streamlit as st

from ueo_core.analysis.blend import recommended_details
from ueo_core.analysis.run_picker import (
    RunEntry,
    best_finished,
    catalog,
    entry_labels,
    figures_text,
    result_figures,
)
from ueo_core.config.methods import METHODS
from ueo_core.evaluation.ood_scores import DEFAULT_SCORE
from ueo_core.inference.adapter_file import AdapterFile
from ueo_core.runs.folder import RunFolder
from ueo_core.runs.run_adapter import adapter_of_run
from ueo_core.utils.errors import UserError
from ueo_core.workspace.imported_adapters import (
    damaged_adapters,
    import_adapter,
    imported_adapters,
    remove_adapter,
)
from ui.common import network, shell
from ui.common.job_progress import show_job, start_job
from ui.common.text import markdown
from ui.common.verdict import BOXES, inspection, judged

JOB = "use.adapter"
VERDICTS = {  # kind of verdict → word, color
    "better": ("Better than before", "green"),
    "worse": ("Worse than before", "red"),
    "mixed": ("Mixed", "orange"),
    "same": ("No significant difference", "blue"),
    "unlabelled": ("Not measured: no labels", "gray"),
}


def chosen() -> AdapterFile | None:
    """The model to use, to change by a list; None, and one button shown, where there is none."""
    if show_job(JOB, on_result=_imported):
        return None
    runs = [e for e in catalog(shell.manager()) if e.finished]
    shell.damaged(damaged_adapters())
    adapters = imported_adapters()
    titles = {f"run:{run}": _with_figures(run, t) for run, t in entry_labels(runs).items()}
    titles |= {f"adapter:{id}": f"{o.title} · imported ({id[:6]})" for id, o in adapters.items()}
    if not titles:
        _empty()
        return None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        wanted = _wanted(titles, runs)
        st.session_state["use.model"] = wanted
        picked = st.selectbox(
            "Adapted model",
            list(titles),
            format_func=titles.get,
            key="use.model",
            width=640,
            on_change=_switch,
        )
        _verdict_badge(picked)
        _import_adapter()
        if picked.startswith("adapter:"):
            with st.popover("Delete", icon=":material/delete:"):
                st.markdown(
                    "Delete this adapter and its predictions from the studio? Your own copy of the file stays."
                )
                st.button(
                    "Delete the adapter",
                    type="primary",
                    on_click=_remove,
                    args=(picked.partition(":")[2],),
                )
    kind, _, id = picked.partition(":")
    try:
        if kind != "run":
            return adapters[id]
        adapter_file = adapter_of_run(shell.manager().folder(id).path)
        return (
            _guarded(adapter_file)
            if adapter_file.guard and adapter_file.guard["share"] < 1
            else adapter_file
        )
    except UserError as error:
        shell.problem(error)
        return None


def _guarded(adapter_file: AdapterFile) -> AdapterFile:
    """The recommended model, unless a person prefers the last epoch."""
    figures = result_figures(RunFolder(adapter_file.run))
    details = recommended_details(adapter_file.guard, figures)
    better = adapter_file.guard.get("model") and adapter_file.guard["share"]
    box, icon = (st.info, "verified_user") if better else (st.warning, "gpp_maybe")
    box(markdown(f"{adapter_file.guard['reason']} {details}".strip()), icon=f":material/{icon}:")
    if st.toggle(
        "Use the recommended model", value=True, key=f"use.guarded.{adapter_file.run.name}"
    ):
        return adapter_of_run(adapter_file.run, guarded=True)
    return adapter_file


def _with_figures(run: str, title: str) -> str:
    figures = figures_text(shell.manager().folder(run))
    return f"{title} · {figures}" if figures else title


def _verdict_badge(picked: str) -> None:
    """The verdict on the run that is chosen; nothing for an imported adapter."""
    kind, _, run = picked.partition(":")
    if kind != "run":
        return
    try:
        opened = inspection(run)
    except UserError:
        return
    verdict = judged(opened, opened.default, DEFAULT_SCORE)
    word, color = VERDICTS[verdict.kind]
    st.badge(word, icon=BOXES[verdict.kind][1], color=color, help=markdown(verdict.headline))


def _wanted(titles: dict[str, str], runs: list[RunEntry]) -> str:
    """The model of the URL, else the run last looked at in this session, else the best one."""
    # "delta" is how links of version 1.0 name an adapter.
    if id := st.query_params.get("adapter") or st.query_params.get("delta"):
        if f"adapter:{id}" in titles:
            return f"adapter:{id}"
        st.warning("The adapter of this link no longer exists.")
        _clear_link()
    run = shell.parameter("run")
    if run and run != "latest" and f"run:{run}" not in titles:
        st.info(
            "The run of this link has no result yet; another model is shown.",
            icon=":material/info:",
        )
    if f"run:{run}" in titles:
        return f"run:{run}"
    best = best_finished(shell.manager(), runs)
    return f"run:{best}" if best else next(iter(titles))


def _switch() -> None:
    kind, _, id = st.session_state["use.model"].partition(":")
    _clear_link()
    if kind == "adapter":
        st.query_params["adapter"] = id
    else:
        shell.set_parameter("run", id)


def _empty() -> None:
    st.info(
        "There is no adapted model yet. Finish a run, or import an adapter that was exported elsewhere.",
        icon=":material/info:",
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Adapt a model", type="primary", icon=":material/tune:"):
            st.switch_page("pages/2_Adapt.py")
        _import_adapter()


def about(adapter_file: AdapterFile) -> None:
    """The model in a line, and a warning where its verdict is bad."""
    meta = adapter_file.metadata
    classes = ", ".join(adapter_file.classes[:8]) + (" …" if len(adapter_file.classes) > 8 else "")
    method = METHODS.get(adapter_file.settings.method)
    st.caption(
        f"{markdown(Path(meta['backbone']).name.removesuffix('.json'))} · {method.title if method else adapter_file.settings.method}, step "
        f"{meta.get('step', '?')} · {len(adapter_file.classes)} classes: {markdown(classes)}"
    )
    if adapter_file.run is None or adapter_file.guarded:  # the verdict is on the last epoch
        return
    try:
        opened = inspection(adapter_file.run.name)
    except UserError:
        return
    verdict = judged(opened, opened.default, DEFAULT_SCORE)
    if verdict.kind in ("worse", "mixed"):
        box, icon = BOXES[verdict.kind]
        box(
            f"**{markdown(verdict.headline)}** Consider another model before you use it.", icon=icon
        )


# Import


def _import_adapter() -> None:
    with st.popover("Import an adapter", icon=":material/upload_file:"):
        st.markdown(
            "A `.safetensors` file that a run or `export` wrote. It is checked against its model: weights, "
            "names, shapes, classes and prompt."
        )
        given = st.file_uploader("Adapter file", ["safetensors"], key="use.adapter.file")
        backbone = pretrained = ""
        if network.local():
            with st.expander("Its model is at another place on this machine"):
                backbone = st.text_input(
                    "Backbone",
                    key="use.adapter.backbone",
                    placeholder="A name, or the path of a config .json",
                )
                pretrained = st.text_input(
                    "Weights", key="use.adapter.weights", placeholder="A tag, or a checkpoint file"
                )
        st.button(
            "Check and import",
            type="primary",
            disabled=given is None,
            on_click=_check,
            args=(given and given.getvalue(), backbone.strip() or None, pretrained.strip() or None),
        )


def _check(data: bytes, backbone: str | None, pretrained: str | None) -> None:
    files = network.local()
    start_job(
        JOB,
        "Checking the adapter",
        lambda job: import_adapter(job, data, backbone, pretrained, files),
    )


def _imported(id: str) -> None:
    _clear_link()
    st.query_params["adapter"] = id
    st.toast("The adapter fits its model and was imported.", icon=":material/check:")


def _remove(id: str) -> None:
    remove_adapter(id)
    _clear_link()


def _clear_link() -> None:
    for name in ("adapter", "delta"):
        st.query_params.pop(name, None)
