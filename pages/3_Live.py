"""Watch and control a run, in any state."""

import streamlit as st

from ueo_core.utils.errors import UserError
from ui.common.shell import bootstrap, manager, parameter, run_notices, set_parameter, teaching_note
from ui.common.text import markdown
from ui.live import arriving, page, view_options

bootstrap("Live")
arriving.draw(f"watch-{st.query_params.get('watch')}")
run = page.chosen_run(parameter("run"))
run_notices(shown=run)
if run is None:
    st.title("Live")
    page.no_run()
    st.stop()
try:
    page.show(run)
    if not view_options.current().present:
        teaching_note(manager().folder(run).settings.backbone)
except UserError as error:
    set_parameter("run", None)
    st.error(markdown(str(error)))
    st.page_link("pages/3_Live.py", label="Show the latest run", query_params={"run": "latest"})
