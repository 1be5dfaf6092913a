"""See what a finished run changed, and find the unknown."""

import streamlit as st

import ueo_core as core
from ui import inspect
from ui.live import chosen_run, no_run
from ui.plain import markdown
from ui.shell import bootstrap, manager, parameter

bootstrap("Inspect")

run = chosen_run(parameter("run"))
if run is None:
    st.title("Inspect")
    no_run()
    st.stop()
try:
    inspect.show(run)
    core.mark_seen(manager().folder(run))
except core.UserError as error:
    st.title("Inspect")
    st.info(markdown(str(error)), icon=":material/info:")
    st.page_link(
        "pages/3_Live.py",
        label="Go to Live",
        icon=":material/monitoring:",
        query_params={"run": run},
    )
