"""Use: which images. The run's own, those classified before, and new ones."""

import uuid

import streamlit as st

from ueo_core.inference.adapter_file import AdapterFile
from ueo_core.runs.folder import IMAGE_SETS
from ueo_core.utils.errors import UserError
from ueo_core.workspace.prediction_history import (
    ClassifiedSet,
    classified_sets,
    classify_path,
    classify_uploads,
    delete_predictions,
)
from ueo_core.workspace.upload import roots, spool
from ui.common import shell, uploads
from ui.common.job_progress import show_job, start_job
from ui.common.text import markdown

JOB = "use.classify"
KINDS = {
    "files": ":material/image: Photos or a zip",
    "folder": ":material/folder: Folder",
    "path": ":material/computer: Path on this machine",
}


def chosen(adapter_file: AdapterFile) -> ClassifiedSet | None:
    """The image set to show; None while the first is being classified or there is none yet."""
    st.subheader("Images")
    there = {a.id: a for a in classified_sets(adapter_file)}
    if not show_job(JOB, "images", _classified):
        there = {a.id: a for a in classified_sets(adapter_file)}
        with st.expander(
            "Classify new images",
            icon=":material/add_photo_alternate:",
            expanded=not there,
            key="use.new",
        ):
            _new(adapter_file)
    if not there:
        return None
    key = f"use.images.{adapter_file.digest[:12]}"
    if (last := st.session_state.pop("use.last", None)) in there:
        st.session_state[key] = last
    if st.session_state.get(key) not in there:
        st.session_state.pop(key, None)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        what = there[
            st.selectbox(
                "Show predictions for",
                list(there),
                key=key,
                width=620,
                format_func=lambda id: f"{there[id].title} · {there[id].reference['n']:,} images",
            )
        ]
        if what.id not in IMAGE_SETS:
            with st.popover("Delete", icon=":material/delete:"):
                st.markdown(
                    "Delete these predictions? The images stay in the store until you clean it up."
                )
                st.button(
                    "Delete predictions",
                    type="primary",
                    on_click=delete_predictions,
                    args=(adapter_file, what),
                )
    if what.skipped:
        _skipped(what)
    return what


def _skipped(what: ClassifiedSet) -> None:
    """The files without a prediction, each with its reason."""
    files = f"{what.skipped:,} file{'s' * (what.skipped != 1)} of {markdown(what.title)}"
    with st.expander(f"{files} could not be used and have no prediction", icon=":material/info:"):
        try:
            found = what.report().skipped
        except UserError as error:
            shell.problem(error)
            return
        st.dataframe([{"File": s.name, "Why": s.reason} for s in found], hide_index=True)


def _classified(id: str) -> None:
    st.session_state["use.last"] = id


def _new(adapter_file: AdapterFile) -> None:
    kind = st.segmented_control(
        "Where are they?",
        list(KINDS),
        format_func=KINDS.get,
        default="files",
        required=True,
        key="use.kind",
    )
    if kind == "path":
        _path(adapter_file)
        return
    # A new key empties the widget, and with it the server's memory, once the files are on disk.
    key = st.session_state.setdefault("use.upload", uuid.uuid4().hex)
    folder = kind == "folder"
    label = "Drag a folder here, or choose one" if folder else "Drag photos or a zip here"
    given = uploads.uploader(label, folder, f"use.{kind}.{key}")
    st.caption("They stay on this machine and are only classified: the model does not change.")
    if not given:
        return
    try:
        with st.spinner("Moving the files to the studio's disk …"):
            spooled = spool([(file.name, file) for file in given])
    except UserError as error:
        shell.problem(error)
        return
    st.session_state["use.upload"] = uuid.uuid4().hex
    _begin(lambda job: classify_uploads(job, adapter_file, spooled))
    st.rerun()


def _path(adapter_file: AdapterFile) -> None:
    if not shell.paths_allowed():
        return
    path = st.text_input(
        "Folder or zip file",
        placeholder=str(roots()[0]),
        key="use.path",
        help="Inside: " + ", ".join(str(root) for root in roots()),
    )
    st.button(
        "Classify them",
        type="primary",
        icon=":material/category:",
        disabled=not path.strip(),
        on_click=lambda: _begin(lambda job: classify_path(job, adapter_file, path)),
    )


def _begin(work) -> None:
    """Start the job; a second click while one runs changes nothing."""
    start_job(JOB, "Classifying", work)
