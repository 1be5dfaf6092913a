"""Watch a run, steer it, and see it in any state afterwards."""

import streamlit as st

import ueo_core as core
from ui import live, live_view
from ui.plain import markdown
from ui.shell import bootstrap, manager, news, parameter, set_parameter, teaching_note

bootstrap("Live")

run = live.chosen_run(parameter("run"))
news(but=run)
if run is None:
    st.title("Live")
    live.no_run()
    st.stop()
try:
    live.show(run)
    if not live_view.current().present:
        teaching_note(manager().folder(run).settings.backbone)
except core.UserError as error:
    set_parameter("run", None)
    st.error(markdown(str(error)))
    st.page_link("pages/3_Live.py", label="Show the latest run", query_params={"run": "latest"})
