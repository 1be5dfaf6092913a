"""Start: what this is, one click to see it work, and the way back to what is going on."""

import streamlit as st

from ui import shell, start, start_picture

shell.bootstrap("Start")
start.take_to_active_run()

st.title("Show CLIP your photos. Label none of them.")
st.markdown(
    "UEO Studio adapts CLIP to a folder of unlabeled photos, and lets you watch while it learns which "
    "images belong to your classes and **which belong to none of them**."
)
start_picture.draw(shell.dark())
start.watch_it_work()
start.recent_runs()
start.this_machine()
