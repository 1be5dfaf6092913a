"""The dataset that is shown, and its header: numbers, and buttons to adapt, rename and delete."""

import streamlit as st

from ueo_core.data.store import Store
from ueo_core.utils.errors import UserError
from ueo_core.utils.paths import store_root
from ueo_core.workspace.dataset import (
    Dataset,
    damaged_datasets,
    delete_dataset,
    list_datasets,
    open_dataset,
)
from ueo_core.workspace.upload import kept_spool, resume_intake
from ui.common import shell
from ui.data import intake


def chosen() -> Dataset | None:
    """The dataset of the URL, to change by a list. None where there is none."""
    shell.damaged(damaged_datasets())
    there = list_datasets()
    if not there:
        return None
    titles = {d.id: d.title for d in there}
    wanted = shell.parameter("data")
    if wanted and wanted not in titles:
        st.warning("The dataset of this link no longer exists; the newest one is shown.")
        shell.set_parameter("data", None)
        wanted = None
    st.session_state["data.id"] = wanted or there[0].id
    id = st.selectbox(
        "Dataset",
        list(titles),
        format_func=lambda i: f"{titles[i]}  ({i})",
        key="data.id",
        on_change=_switch,
    )
    return open_dataset(id)


def _switch() -> None:
    shell.set_parameter("data", st.session_state["data.id"])


def header(dataset: Dataset) -> None:
    """Numbers, what is missing, and the buttons."""
    try:
        report = Store(store_root()).report(dataset.pool["set"])
    except UserError as error:
        shell.problem(error)
        _delete_button(dataset)
        st.stop()
    cells = st.columns(5)
    cells[0].metric("Usable images", f"{report.usable:,}")
    cells[1].metric("Skipped", f"{len(report.skipped):,}")
    cells[2].metric("Duplicates removed", f"{report.duplicates:,}")
    cells[3].metric("Class names", f"{len(dataset.classes):,}")
    held = dataset.holdout["n"] if dataset.holdout else 0
    cells[4].metric("Test images", f"{held:,}", help="Labeled, never trained on, only scored.")
    if dataset.origin.get("unfinished"):
        _unfinished(dataset)
    with st.container(horizontal=True, vertical_alignment="center"):
        if dataset.ready:
            if st.button(
                "Adapt CLIP to these images", type="primary", icon=":material/arrow_forward:"
            ):
                st.switch_page("pages/2_Adapt.py", query_params={"data": dataset.id})
        else:
            st.info("Next: name at least two classes.", icon=":material/edit:")
        with st.popover("Rename", icon=":material/edit:"), st.form("data.rename", border=False):
            title = st.text_input("Title", dataset.title, max_chars=120)
            if st.form_submit_button("Save") and title.strip():
                shell.attempt(lambda: dataset.changed(title=title.strip()))
                st.rerun()
        _delete_button(dataset)


def _delete_button(dataset: Dataset) -> None:
    with st.popover("Delete", icon=":material/delete:"):
        st.markdown(
            "Delete this dataset, its class names and its labels? Its images stay in the store "
            "until you clean it up, and its runs keep working."
        )
        st.button("Delete the dataset", on_click=_delete, args=(dataset.id,), type="primary")


def _unfinished(dataset: Dataset) -> None:
    """An intake that was stopped: resume it, where its source still exists."""
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(
            "**This import was stopped before its end.** The dataset has the images read so far and can "
            "be used. Resuming decodes nothing twice."
        )
        if "path" in dataset.origin or kept_spool(dataset):
            st.button(
                "Resume the import",
                icon=":material/play_arrow:",
                disabled=intake.running(),
                on_click=intake.begin,
                args=(
                    f"Importing the rest of {dataset.title}",
                    lambda job: resume_intake(job, dataset.id),
                ),
            )
        else:
            st.caption("Its upload was deleted: upload the same source again for the rest.")


def _delete(id: str) -> None:
    if any(d.id == id for d in list_datasets()):  # else another session has deleted it
        shell.attempt(delete_dataset, id)
    shell.set_parameter("data", None)
