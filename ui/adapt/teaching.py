"""What the choice of a teaching model means for these class names, and the way to a full-size CLIP."""

from collections.abc import Callable

import streamlit as st

from ueo_core.drawings.nouns import unknown_names
from ueo_core.workspace.dataset import Dataset
from ui.common import shell
from ui.common.text import markdown

SHOWN = 12  # words


def note(backbone: str, dataset: Dataset, use_real: Callable[[str], None]) -> None:
    """For photos of one's own and a teaching model, the words it does not know; else the usual note.

    use_real: selects the full-size CLIP of that name.
    """
    if not backbone.startswith("drawings-") or dataset.is_sample:
        shell.teaching_note(backbone)
        return
    missing = unknown_names(dataset.classes)
    words = ", ".join(f"**{markdown(name)}**" for name in missing[:SHOWN])
    more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
    named = (
        f"It does not know {len(missing)} of your {len(dataset.classes)} class names: {words}{more}."
        if missing
        else "It knows your class names, but only as drawings."
    )
    with st.container(border=True, key="adapt-teaching"):
        st.markdown(
            f":material/school: **This is a teaching model with a small vocabulary**, trained on drawings. "
            f"{named} For photos, use a full-size CLIP."
        )
        st.button(
            "Use a full-size CLIP",
            type="primary",
            icon=":material/arrow_forward:",
            on_click=use_real,
            args=(shell.REAL_CLIP,),
        )
