"""Class names, and labels that serve scoring alone."""

import streamlit as st

import ueo_core as core
from ui import shell
from ui.why import why

_NONE, _FOLDERS, _CSV = "none", "folders", "csv"
_SOURCES = {
    _NONE: "No labels",
    _FOLDERS: "Names of the subfolders",
    _CSV: "A CSV file with path and label",
    "sample": "From the drawing itself",
}


def names(dataset: core.Dataset) -> None:
    """Edit the class names, or take them from the subfolders or a file."""
    st.markdown(
        "The classes you care about, **one per line or separated by commas**. They are all that the "
        "adaptation is told. An image of anything else should end up as unknown."
    )
    why("strangers", "Who are the unknown?")
    key = f"data.names.{dataset.id}"
    if key not in st.session_state:
        st.session_state[key] = "\n".join(dataset.classes)
    with st.container(horizontal=True):
        folders = sorted({name for name in core.folder_labels(dataset.images()) if name})
        if len(folders) > 1:
            st.button(
                f"Take the {len(folders)} subfolders", icon=":material/folder:",
                on_click=_fill, args=(key, [f.replace(",", " ") for f in folders]),
                help="Then remove the folders that are none of your classes.",
            )  # fmt: skip
        with st.popover("From a text file", icon=":material/upload_file:"):
            given = st.file_uploader("Text file, UTF-8", ["txt", "csv"], key=f"{key}.file")
            if given:
                st.button("Use these names", on_click=_fill_from_file, args=(key, given.getvalue()))
    if problem := st.session_state.pop(f"{key}.problem", None):
        shell.problem(problem)
    with st.form(f"{key}.form", border=False):
        text = st.text_area("Class names", key=key, height=220, placeholder="key\nfish\nstar")
        saved = st.form_submit_button("Save class names", type="primary", icon=":material/check:")
    if saved:
        try:
            dataset.changed(classes=core.parse_class_names(text))
        except core.UserError as error:
            shell.problem(error)
        else:
            st.toast(f"{len(core.open_dataset(dataset.id).classes)} class names saved.")
            st.rerun()


def _fill(key: str, found: list[str]) -> None:
    st.session_state[key] = "\n".join(found)


def _fill_from_file(key: str, content: bytes) -> None:
    try:
        _fill(key, core.parse_class_names(content.decode("utf-8-sig")))
    except UnicodeDecodeError:
        st.session_state[f"{key}.problem"] = (
            "class names: the file is not UTF-8 text; save it as UTF-8."
        )
    except core.UserError as error:
        st.session_state[f"{key}.problem"] = str(error)


def labels(dataset: core.Dataset) -> None:
    """Declare labels for scoring, and how their names relate to the classes."""
    st.markdown(
        "Labels are optional and **for scoring only**: the run never sees them. With them, every page "
        "can say how right the answers are; without them, the adaptation is exactly the same."
    )
    if dataset.is_sample:
        st.success("The labels of the sample are known, because it was drawn here.")
        _mapping(dataset)
        return
    source = st.radio(
        "Where do labels come from?", [_NONE, _FOLDERS, _CSV], format_func=_SOURCES.get,
        index=[_NONE, _FOLDERS, _CSV].index(dataset.labels_from or _NONE),
        key=f"data.labels.{dataset.id}", horizontal=True,
    )  # fmt: skip
    try:
        _declare(dataset, source)
    except core.UserError as error:
        shell.problem(error)
        return
    _mapping(core.open_dataset(dataset.id))


def _declare(dataset: core.Dataset, source: str) -> None:
    if source == _CSV:
        given = st.file_uploader(
            "CSV with the columns path and label, paths relative to the source", ["csv", "tsv", "txt"],
            key=f"data.csv.{dataset.id}",
        )  # fmt: skip
        if given and st.button("Use these labels", type="primary"):
            spooled = core.spool([(given.name, given)])
            with spooled:
                dataset.with_labels(core.csv_labels(dataset.images(), spooled.files[0][1]), _CSV)
            st.rerun()
    elif source != (dataset.labels_from or _NONE):
        if source == _FOLDERS:
            raw = core.folder_labels(dataset.images())
            if len({name for name in raw if name}) < 2:
                raise core.UserError(
                    "labels: the images do not lie in at least two subfolders; sort them into one "
                    "folder a class, or give a CSV."
                )
            dataset.with_labels(raw, _FOLDERS)
        else:
            dataset.with_labels(None, "")
        st.rerun()


def _mapping(dataset: core.Dataset) -> None:
    """Which label name counts as which class; look-alikes only once accepted."""
    raw = dataset.raw_labels()["pool"]
    if not raw:
        return
    counts = {name: raw.count(name) for name in {n for n in raw if n}}
    mapped = core.map_folders(counts, list(dataset.classes))
    if mapped.suggestions:
        accepted = st.multiselect(
            "These names look like one of your classes. Count them as it?", sorted(mapped.suggestions),
            default=[n for n in dataset.accepted if n in mapped.suggestions],
            format_func=lambda name: f"{name} → {mapped.suggestions[name]}",
            key=f"data.accept.{dataset.id}", placeholder="Choose those that are right",
        )  # fmt: skip
        if set(accepted) != set(dataset.accepted):
            dataset.changed(accepted=tuple(accepted))
            st.rerun()
    resolved = mapped.resolve(dataset.accepted)
    rows = [
        {
            "Label": name,
            "Images": counts[name],
            "Counts as": resolved[name] or "unknown (OOD)",
            "Looks like": "" if resolved[name] else mapped.suggestions.get(name, ""),
        }
        for name in sorted(counts)
    ]
    known = sum(counts[n] for n in counts if resolved[n])
    unlabeled = sum(name is None for name in raw)
    st.markdown(
        f"**{known:,}** images of your classes (ID), **{sum(counts.values()) - known:,}** of anything "
        f"else (OOD), {unlabeled:,} without a label."
    )
    st.dataframe(rows, hide_index=True)
