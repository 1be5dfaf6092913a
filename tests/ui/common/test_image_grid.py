"""Grids of thumbnails: pages, and captions that are escaped."""

from streamlit.testing.v1 import AppTest

from ui.common.image_grid import PER_PAGE


def script():
    import streamlit as st

    from ui.common.image_grid import Thumbnail, image_grid, page_indices

    for count in st.session_state["counts"]:
        shown = page_indices(count, f"page.{count}")
        st.session_state[f"shown.{count}"] = (shown.start, shown.stop)
    image_grid([Thumbnail(b"jpeg", '<img src=x>"')])


def test_a_page_has_its_images_and_the_last_one_the_rest():
    app = AppTest.from_function(script)
    app.session_state["counts"] = (0, PER_PAGE, PER_PAGE + 2)
    app.run()
    assert not app.exception
    assert app.session_state["shown.0"] == (0, 0)
    assert app.session_state[f"shown.{PER_PAGE}"] == (0, PER_PAGE)
    assert app.session_state[f"shown.{PER_PAGE + 2}"] == (0, PER_PAGE)
    app.session_state[f"page.{PER_PAGE + 2}"] = 2
    app.run()
    assert app.session_state[f"shown.{PER_PAGE + 2}"] == (PER_PAGE, PER_PAGE + 2)


def test_captions_are_text():
    app = AppTest.from_function(script)
    app.session_state["counts"] = ()
    body = app.run().get("html")[0].proto.body
    assert "&lt;img src=x&gt;&quot;" in body and "<img src=x>" not in body
