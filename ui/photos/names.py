"""Class names beside the photos: what is typed is saved, and predicted, at once."""

from collections.abc import Sequence

import streamlit as st

from ueo_core.data.class_list import parse_class_names, write_class_names
from ueo_core.data.class_names import Synonyms
from ueo_core.data.labels import folder_labels
from ueo_core.utils.errors import UserError
from ueo_core.workspace.dataset import Dataset, open_dataset
from ui.common import shell
from ui.common.text import markdown


def draw(dataset: Dataset, of_newest: tuple[Sequence[str], Synonyms] | None) -> None:
    """The box with the names, and buttons that take them from elsewhere.

    of_newest: those of the newest run of these photos, where they are others.
    """
    key = f"photos.names.{dataset.id}"
    if key not in st.session_state:
        st.session_state[key] = write_class_names(dataset.classes, dataset.synonyms)
    st.text_area(
        "Class names",
        key=key,
        height=170,
        placeholder="key\nfish\nstar",
        on_change=_save,
        args=(dataset.id, key),
        help="One per line, or separated by commas; `dog: puppy, hound` gives a class further names. "
        "A photo of anything else should be predicted as unknown.",
    )
    if problem := st.session_state.get(f"{key}.problem"):
        shell.problem(problem)
    for remark in st.session_state.get(f"{key}.remarks", ()):
        st.caption(f":material/info: {markdown(remark)}")
    if of_newest is not None:
        st.button(
            "Use the names of the newest run",
            icon=":material/history:",
            on_click=_fill,
            args=(dataset.id, key, write_class_names(*of_newest)),
            width="stretch",
            help=f"{markdown(', '.join(of_newest[0]))}. They replace those above, and its groups are shown.",
        )
    folders = sorted({name for name in folder_labels(dataset.images()) if name})
    if len(folders) > 1 and not dataset.classes:
        st.button(
            f"Use the names of the {len(folders)} subfolders",
            icon=":material/folder:",
            on_click=_fill,
            args=(dataset.id, key, write_class_names(folders)),
            width="stretch",
        )
    st.button("Show predictions", icon=":material/check:", width="stretch")  # leaves the box


def _fill(id: str, key: str, names: str) -> None:
    st.session_state[key] = names
    _save(id, key)


def _save(id: str, key: str) -> None:
    """Save the names if they can be used; else keep the text and say why."""
    st.session_state.pop(f"{key}.problem", None)
    st.session_state.pop(f"{key}.remarks", None)
    try:
        given = parse_class_names(st.session_state[key])
        open_dataset(id).changed(classes=given.names, synonyms=given.synonyms)
    except UserError as error:
        st.session_state[f"{key}.problem"] = str(error)
    else:
        st.session_state[f"{key}.remarks"] = given.remarks
