"""A job on a page: its progress while it runs, then its result once, or its error until a restart."""

import threading

import pytest
from streamlit.testing.v1 import AppTest

from tests.helpers.pages import button, clean, wait_for_job
from ueo_core.utils.errors import UserError
from ui.common import shell


def script():
    import streamlit as st

    from ui.common.job_progress import show_job, start_job

    work = st.session_state.get("work")
    st.button("Start", on_click=start_job, args=("job", "Reading *x*", work))
    st.session_state["running"] = show_job(
        "job", "images", lambda result: st.session_state["results"].append(result)
    )


@pytest.fixture
def page(own_home):
    app = AppTest.from_function(script)
    app.session_state["results"] = []
    yield app
    shell.shutdown()


def run(page, work):
    """Start `work` by the button and wait for its end."""
    page.session_state["work"] = work
    button(clean(page.run()), "Start").click().run()
    wait_for_job("job")
    return clean(page.run())


def test_count_rate_and_time_left_are_shown_while_it_runs(page):
    counted, end = threading.Event(), threading.Event()

    def work(job):
        job.started -= 10
        job.progress(20, 80)
        counted.set()
        end.wait(60)

    page.session_state["work"] = work
    button(clean(page.run()), "Start").click().run()
    assert counted.wait(60)
    clean(page.run())
    assert page.session_state["running"]
    text = page.get("progress")[0].proto.text
    assert text.startswith(r"Reading \*x\* · 20 of 80 images · 2.0 per second · about 30 s")
    assert not button(page, "Cancel").disabled
    end.set()
    wait_for_job("job")
    assert not clean(page.run()).session_state["running"]


def test_the_result_is_passed_on_once(page):
    run(page, lambda job: 7)
    assert clean(page.run()).session_state["results"] == [7] and not page.error


def test_an_error_stays_until_the_next_start(page):
    def refuse(job):
        raise UserError("photos: no images; add some.")

    run(page, refuse)
    assert [e.value for e in clean(page.run()).error] == [r"photos\: no images; add some\."]
    assert not run(page, lambda job: 1).error
    assert page.session_state["results"] == [1]


def test_a_cancelled_job_has_no_result(page):
    def work(job):
        job.cancel()
        job.check()

    run(page, work)
    assert page.session_state["results"] == [] and not page.error
