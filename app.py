"""Start: what this is, one click to see it work, and the way back to what is going on."""

import streamlit as st

from ui.common import shell
from ui.start import page, picture

shell.bootstrap("Start")
page.take_to_active_run()

st.title("Show CLIP your photos. Label none of them.")
st.markdown(
    "UEO Studio adapts CLIP to a folder of unlabeled photos, and lets you watch while it learns which "
    "images belong to your classes and **which belong to none of them**."
)
picture.draw(shell.dark())
page.watch_it_work()
page.recent_runs()
page.this_machine()
