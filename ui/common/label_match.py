"""Labels whose names almost match a class: asked about, with the likely answer preselected."""

import streamlit as st

from ueo_core.workspace.dataset import Dataset


def ask(dataset: Dataset, similar: dict[str, str], key: str) -> list[str]:
    """The question, with everything selected that was not declined. → labels to treat as their class

    similar: label → class, of `Dataset.similar_labels`, not empty.
    """
    return st.multiselect(
        "These label names look like one of your classes. Treat them as that class?",
        sorted(similar),
        default=sorted(set(similar) - set(dataset.declined)),
        format_func=lambda name: f"{name} → {similar[name]}",
        key=key,
        placeholder="Choose those that are right",
        help="Only for scoring. Labels that are not selected count as unknown (OOD).",
    )
