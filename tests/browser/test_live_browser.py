"""Live and Inspect in a real browser: controls by keyboard, charts that are kept, a cell that opens."""

import re

import pytest

from ueo_core.workspace.dataset import create_dataset

from .conftest import serve
from .live import (
    STEP,
    charts_kept,
    keep_charts,
    paused_run,
    press,
    until_step,
    until_text,
    until_ticks,
)

pytestmark = pytest.mark.browser
TOP = "document.querySelector('[data-testid=stMain]').scrollTop"


def test_a_run_is_controlled_watched_in_two_windows_and_inspected(page, own_home):
    run = paused_run().id
    with serve(own_home) as (url, _):
        page.set_viewport_size({"width": 1920, "height": 1080})
        page.goto(f"{url}/Live?run={run}")
        until_text(page, "Ready\\.")
        press(page, "Resume")
        first = until_step(page, 5)
        keep_charts(page)
        # The chosen steps and the open popover are kept while the run continues.
        page.get_by_role("button", name="View").click()
        end = page.get_by_role("slider").last
        end.focus()
        page.keyboard.press("Home")
        page.keyboard.press("ArrowRight")
        page.wait_for_url(re.compile("steps=0-1(&|$)"))
        until_ticks(page, 20)
        assert charts_kept(page)
        assert end.is_visible()
        assert page.get_by_role("button", name="Steps 0 to 1").count() == 1
        page.keyboard.press("Escape")
        # A refresh keeps the view and the controls; a second window sees the same run.
        page.reload()
        page.get_by_role("button", name="Steps 0 to 1").wait_for()
        second = page.context.new_page()
        second.goto(f"{url}/Live?run=latest")
        assert until_step(second, first) >= first
        second.close()
        until_step(page, first)
        # By keyboard, also in the presentation: P stops the counter, S moves it by one step.
        page.goto(f"{url}/Live?run={run}&present=1")
        until_step(page, first)
        page.get_by_role("button", name="Pause").and_(page.locator(":enabled")).wait_for()
        page.keyboard.press("p")
        until_text(page, "Paused\\.")
        page.get_by_role("button", name="Step", exact=False).and_(
            page.locator(":enabled")
        ).first.wait_for()
        page.wait_for_timeout(
            1500
        )  # the tick that shows “Paused.” may still be drawing the counter
        halted = page.evaluate(STEP)
        page.wait_for_timeout(3000)
        assert page.evaluate(STEP) == halted
        page.keyboard.press("s")
        assert until_step(page, halted + 1) == halted + 1
        until_text(page, "Paused\\.")
        press(page, "Stop and keep")
        page.get_by_text("Inspect what changed").first.click()
        page.wait_for_url(re.compile(f"Inspect.*run={run}"))
        page.get_by_role("tab", name="Classes").click()
        open_a_cell(page)
        for width, height in ((1920, 1080), (1024, 768)):
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_timeout(500)
            main = "document.querySelector('[data-testid=stMain]')"
            assert page.evaluate(f"{main}.scrollWidth <= {main}.clientWidth"), width


def test_of_two_browsers_one_has_the_controls_until_it_releases_them(page, own_home):
    run = paused_run().id
    with serve(own_home) as (url, _):
        page.goto(f"{url}/Live?run={run}")
        press(page, "Resume")
        until_step(page, 1)
        page.reload()  # the same browser: it keeps the controls, and counts once
        until_step(page, 1)
        others = page.context.browser.new_context()
        others.set_default_timeout(60_000)
        other = others.new_page()
        other.goto(f"{url}/Live?run=latest")
        other.get_by_text("another browser has the controls").wait_for()
        until_step(other, 1)
        assert other.get_by_role("button", name="Pause").first.is_disabled()
        page.get_by_text("You have the controls; 1 other viewer").wait_for()
        page.get_by_role("button", name="Release the controls").click()
        other.get_by_role("button", name="Take the controls").click()
        page.get_by_text("another browser has the controls").wait_for()
        press(other, "Pause")
        until_text(page, "Paused\\.")
        others.close()


def test_live_is_scrolled_to_the_top_after_a_start_at_the_bottom_of_adapt(page, own_home):
    folder = paused_run()
    config = folder.config
    dataset = create_dataset("mine", config["pool"], classes=config["classes"])
    with serve(own_home) as (url, _):
        page.set_viewport_size({"width": 1024, "height": 500})
        page.goto(f"{url}/Adapt?data={dataset.id}")
        page.get_by_role("button", name="Start").wait_for()
        page.mouse.move(600, 300)
        page.mouse.wheel(0, 5000)
        page.wait_for_function(f"{TOP} > 0")
        press(page, "Start")
        page.wait_for_url("**/Live?run=*")
        until_step(page, 1)
        assert page.evaluate(TOP) == 0
        # The sidebar shows the other run, and its page is scrolled to the top as well.
        page.get_by_text("Run paused").wait_for()
        page.mouse.move(600, 300)
        page.mouse.wheel(0, 700)
        page.wait_for_function(f"{TOP} > 0")
        page.get_by_role("link", name="View run").click()
        until_text(page, "Ready\\.")
        assert page.evaluate(TOP) == 0


def open_a_cell(page) -> None:
    """Click at several places until a cell of the confusion matrix before adaptation shows its images."""
    chart = page.locator("[class*=st-key-inspect-confusion][class*=before] canvas").first
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    for share in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
        for height in (0.1, 0.3, 0.5, 0.7):
            page.mouse.click(box["x"] + share * box["width"], box["y"] + height * box["height"])
            page.wait_for_timeout(400)
            if re.search(r"\d+ images of “.+”, predicted", page.inner_text("body")):
                return
    raise AssertionError("no click opened a cell")
