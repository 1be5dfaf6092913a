"""Labels for scoring only: those of the pool, and those of a test set."""

import streamlit as st

from ueo_core.data.labels import folder_labels, map_folders, table_labels
from ueo_core.utils.errors import UserError
from ueo_core.workspace.dataset import Dataset, open_dataset
from ueo_core.workspace.upload import spool
from ui.common import label_match, shell
from ui.common.text import markdown
from ui.data import intake, report, sources

_NONE, _FOLDERS, _CSV = "none", "folders", "csv"
_SOURCES = {
    _NONE: "No labels",
    _FOLDERS: "Names of the subfolders",
    _CSV: "A file with path and label",
}


def labels(dataset: Dataset) -> None:
    """Choose the labels of the pool, and how their names relate to the classes."""
    st.markdown(
        "Labels are optional and **for scoring only**: the run never sees them. With them, every page "
        "can show how accurate the predictions are; without them, the adaptation is exactly the same."
    )
    if dataset.is_sample:
        st.success("The labels of the sample are known, because it was drawn here.")
        with shell.explained():
            _mapping(dataset, "pool")
        return
    source = st.radio(
        "Where do labels come from?",
        list(_SOURCES),
        format_func=_SOURCES.get,
        index=list(_SOURCES).index(dataset.labels_from or _NONE),
        key=f"data.labels.{dataset.id}",
        horizontal=True,
    )
    with shell.explained():
        _declare(dataset, source)
        _mapping(open_dataset(dataset.id), "pool")


def _declare(dataset: Dataset, source: str) -> None:
    if source == _CSV:
        _csv(dataset, "pool")
    elif source != (dataset.labels_from or _NONE):
        if source == _FOLDERS:
            raw = folder_labels(dataset.images())
            if len({name for name in raw if name}) < 2:
                raise UserError(
                    "Labels: the images are not in at least two subfolders; sort them into one "
                    "folder per class, or give a CSV."
                )
            dataset.with_labels(raw, _FOLDERS)
        else:
            dataset.with_labels(None, "")
        st.rerun()


def _csv(dataset: Dataset, part: str) -> None:
    """Labels of a part from an uploaded table. Raises `UserError`."""
    given = st.file_uploader(
        "CSV with the columns path and label, paths relative to the source, or Label Studio's JSON",
        ["csv", "tsv", "txt", "json"],
        key=f"data.csv.{part}.{dataset.id}",
    )
    if given and st.button("Use these labels", type="primary", key=f"data.use.{part}"):
        with spool([(given.name, given)]) as spooled:
            table = table_labels(dataset.images(part), spooled.files[0][1])
        dataset.with_labels(table.labels, _CSV, part)
        st.session_state[_table(dataset, part)] = table
        st.rerun()


def _table(dataset: Dataset, part: str) -> str:
    """Where this session has the table that a part's labels were taken from."""
    return f"data.table.{part}.{dataset.id}"


def test_set(dataset: Dataset) -> None:
    """Choose labeled images that are only scored, or show those that were chosen."""
    st.markdown(
        "A test set is **only scored**: labeled images that the run never adapts to. One "
        "subfolder per class; subfolders that are none of your classes count as unknown (OOD)."
    )
    if dataset.holdout:
        with shell.explained():
            _declared(dataset)
    elif intake.running():
        st.info("Images are being imported; see the top of the page.", icon=":material/hourglass:")
    else:
        sources.for_test_set(dataset)


def _declared(dataset: Dataset) -> None:
    n, both = dataset.holdout["n"], dataset.holdout_overlap()
    if both:
        st.warning(
            f"{both:,} of the {n:,} test images are also in the pool; a score on "
            "them says less than a score on images that the run has never seen."
        )
    labeled = any(dataset.raw_labels()["holdout"] or ())
    if not labeled:
        st.warning(
            f"These {n:,} images have no labels, because they are in no subfolders: add a file with labels."
        )
    _mapping(dataset, "holdout")
    if dataset.is_sample:
        return
    if not labeled:
        _csv(dataset, "holdout")
    with st.container(horizontal=True):
        if labeled:
            with st.popover("Labels from a file instead", icon=":material/table:"):
                _csv(dataset, "holdout")
        st.button(
            "Remove the test set",
            icon=":material/close:",
            on_click=shell.attempt,
            args=(dataset.with_holdout, None),
            help="You can then choose another. Runs that were scored on it keep their scores.",
        )
    with st.expander("Import report of the test set"):
        report.account(dataset, "holdout")


def _mapping(dataset: Dataset, part: str) -> None:
    """Which label name counts as which class; for look-alikes, the answer is preselected."""
    raw = dataset.raw_labels()[part]
    if not raw:
        return
    table = st.session_state.get(_table(dataset, part))
    if table and table.labels == raw:  # they may have been changed since
        (st.success if table.complete else st.warning)(markdown(table.sentence))
    counts = {name: raw.count(name) for name in {n for n in raw if n}}
    mapped = map_folders(counts, list(dataset.classes))
    if mapped.suggestions:
        key = f"data.accept.{part}.{dataset.id}"
        confirmed = label_match.ask(dataset, mapped.suggestions, key)
        if dataset.with_answer(mapped.suggestions, confirmed) is not dataset:
            st.rerun()
    resolved = mapped.resolve(dataset.accepted)
    open_ones = {n: like for n, like in mapped.suggestions.items() if not resolved[n]}
    rows = [
        {"Label": name, "Images": counts[name], "Counts as": resolved[name] or "unknown (OOD)"}
        | ({"Looks like": open_ones.get(name, "")} if open_ones else {})
        for name in sorted(counts)
    ]
    known = sum(counts[n] for n in counts if resolved[n])
    unlabeled = sum(name is None for name in raw)
    st.markdown(
        f"**{known:,}** images of your classes (ID), **{sum(counts.values()) - known:,}** of anything "
        f"else (OOD), {unlabeled:,} without a label."
    )
    st.dataframe(rows, hide_index=True)
