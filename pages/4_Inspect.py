"""Inspect what a finished run changed, and find the unknown images."""

import streamlit as st

from ueo_core.runs.notices import mark_seen
from ueo_core.utils.errors import UserError
from ui.common.shell import bootstrap, manager, parameter
from ui.common.text import markdown
from ui.inspect import page
from ui.live.page import chosen_run, no_run

bootstrap("Inspect")

run = chosen_run(parameter("run"))
if run is None:
    st.title("Inspect")
    no_run()
    st.stop()
try:
    page.show(run)
    mark_seen(manager().folder(run))
except UserError as error:
    st.title("Inspect")
    st.info(markdown(str(error)), icon=":material/info:")
    st.page_link(
        "pages/3_Live.py",
        label="Open Live",
        icon=":material/monitoring:",
        query_params={"run": run},
    )
