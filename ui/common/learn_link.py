"""A small "why?" beside a figure or a setting: it leads to the place of Learn that answers it."""

import streamlit as st

from ueo_core.learn.why import WHY

PAGE = "pages/7_Learn.py"


def why(topic: str, label: str = "why?") -> None:
    """Draw the link. topic: a key of `ueo_core.learn.why.WHY`."""
    asked = WHY[topic]
    st.page_link(
        PAGE,
        label=f":small[{label}]",
        icon=":material/school:",
        icon_position="left",
        query_params=asked.link,
        help=asked.question,
        width="content",
    )


def titled(title: str, topic: str) -> None:
    """A figure's title with its "why?" beside it. title: Markdown."""
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.markdown(title, width="content")
        why(topic)
