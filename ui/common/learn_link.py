"""A small "why?" beside a figure or a setting, linked to the part of Learn that explains it."""

import streamlit as st

from ueo_core.learn.why import WHY

PAGE = "pages/7_Learn.py"


def why(topic: str, label: str = "why?") -> None:
    """Draw the link. topic: a key of `ueo_core.learn.why.WHY`."""
    target = WHY[topic]
    st.page_link(
        PAGE,
        label=f":small[{label}]",
        icon=":material/school:",
        icon_position="left",
        query_params=target.link,
        help=target.question,
        width="content",
    )


def titled(title: str, topic: str) -> None:
    """A figure's title and its "why?" link. title: Markdown."""
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.markdown(title, width="content")
        why(topic)
