"""Class names: typed, pasted, from the subfolders, from a file."""

import streamlit as st

from ueo_core.data.class_list import parse_class_names, write_class_names
from ueo_core.data.class_names import ClassNames
from ueo_core.data.labels import folder_labels
from ueo_core.utils.errors import UserError
from ueo_core.workspace.dataset import Dataset, open_dataset
from ui.common import shell
from ui.common.learn_link import why
from ui.common.text import markdown
from ui.data import name_check


def names(dataset: Dataset) -> None:
    """Edit the class names, or take them from the subfolders or a file."""
    st.markdown(
        "The classes you care about, **one per line or separated by commas**; `dog: puppy, hound` "
        "gives a class further names, on a line of its own. The adaptation "
        "gets no other text. An image of anything else should be predicted as unknown."
    )
    why("unknown", "What are unknown images?")
    key = f"data.names.{dataset.id}"
    if key not in st.session_state:
        st.session_state[key] = write_class_names(dataset.classes, dataset.synonyms)
    with st.container(horizontal=True):
        folders = sorted({name for name in folder_labels(dataset.images()) if name})
        if len(folders) > 1:
            st.button(
                f"Use the names of the {len(folders)} subfolders",
                icon=":material/folder:",
                on_click=_fill,
                args=(key, ClassNames(folders)),
                help="Then remove the folders that are none of your classes.",
            )
        with st.popover("From a text file", icon=":material/upload_file:"):
            given = st.file_uploader("Text file, UTF-8", ["txt", "csv"], key=f"{key}.file")
            if given:
                st.button("Use these names", on_click=_fill_from_file, args=(key, given.getvalue()))
    if problem := st.session_state.pop(f"{key}.problem", None):
        shell.problem(problem)
    for remark in st.session_state.get(f"{key}.remarks", ()):
        st.info(markdown(remark))
    with st.form(f"{key}.form", border=False):
        text = st.text_area("Class names", key=key, height=220, placeholder="key\nfish\nstar")
        saved = st.form_submit_button(
            "Save class names",
            # Once there are names, the next step is to adapt.
            type="secondary" if dataset.ready else "primary",
            icon=":material/check:",
        )
    if saved:
        try:
            given = parse_class_names(text)
            dataset.changed(classes=given.names, synonyms=given.synonyms)
        except UserError as error:
            shell.problem(error)
        else:
            st.session_state[f"{key}.remarks"] = given.remarks
            st.toast(f"{len(open_dataset(dataset.id).classes)} class names saved.")
            st.rerun()
    name_check.check_the_names(dataset)


def _fill(key: str, found: ClassNames) -> None:
    st.session_state[key] = write_class_names(found.names, found.synonyms)
    st.session_state[f"{key}.remarks"] = found.remarks


def _fill_from_file(key: str, content: bytes) -> None:
    try:
        _fill(key, parse_class_names(content.decode("utf-8-sig")))
    except UnicodeDecodeError:
        st.session_state[f"{key}.problem"] = (
            "Class names: the file is not UTF-8 text; save it as UTF-8."
        )
    except UserError as error:
        st.session_state[f"{key}.problem"] = str(error)
