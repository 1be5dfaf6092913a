"""The heading of a page that shows a run: short, with model and data in a second line."""

import streamlit as st

from ui.common.text import markdown


def run_heading(title: str, page: str = "", about: str = "") -> None:
    """The first part of a run's title as the heading, the others (model, data) as a caption.

    title: as `start_run.default_title` makes it, parts joined by " · ", or a name of the user's.
    page: put before the heading; about: Markdown after the caption.
    """
    first, _, rest = title.partition(" · ")
    with st.container(
        horizontal=True,
        vertical_alignment="bottom",
        gap="small",
        width="content",
        key="ueo-heading",
    ):
        st.markdown(f"## {markdown(f'{page}: {first}' if page else first)}", width="content")
        if caption := " · ".join(filter(None, (markdown(rest), about))):
            st.caption(caption, width="content")
