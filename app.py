"""Start: what the studio does, a demo in one click, and the recent runs."""

import streamlit as st

if __name__ == "__main__":  # as a page
    from ui.common import shell
    from ui.start import overview_picture, page

    shell.bootstrap("Start")
    page.open_active_run()

    st.title("Adapt CLIP to your photos, without labels")
    st.markdown(
        "UEO Studio adapts CLIP to a folder of unlabeled photos. Watch it learn which images belong to "
        "your classes and **which belong to none of them**."
    )
    overview_picture.draw(shell.dark())
    page.demo()
    page.recent_runs()
    page.this_machine()
else:  # as the server, which `streamlit run` finds by this name
    from starlette.middleware import Middleware

    from ui.common.origins import OwnOrigin
    from ui.common.shell import served

    app = st.App(__file__, lifespan=served, middleware=[Middleware(OwnOrigin)])
