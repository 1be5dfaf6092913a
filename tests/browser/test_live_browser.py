"""Live and Inspect in a real browser: steering by keyboard, charts that stay, a cell that opens."""

import re

import pytest

import ueo_core as core

from .conftest import PATIENCE, serve

pytestmark = pytest.mark.browser
STEP = "() => Number((document.body.innerText.match(/step ([\\d,]+) of/) || [0, '0'])[1].replaceAll(',', ''))"


def paused_run(home) -> str:
    """A small problem of the built-in kind, ready to be resumed; far too long to end by itself."""
    problem = core.problem(seed=11)
    store, files = core.Store(core.store_root(), 105), {"pool": [], "test": []}
    for part, name, png in problem.files():
        if len(files[part]) < 120:
            files[part].append((name, png))
    sets = {k: store.open(store.ingest_files(v, name=k).set_id) for k, v in files.items()}
    folder = core.create_run(
        core.runs_root() / "night",
        core.Settings.for_backbone("drawings-resnet", epochs=2000, batch_size=30, device="cpu"),
        list(problem.classes),
        core.reference(store, sets["pool"]),
        holdout=core.reference(store, sets["test"]),
        holdout_labels=[name.split("/")[0] for name in sets["test"].names],
    )
    folder.set_state("paused", reason="Ready.")
    return folder.id


def until_step(page, least: int) -> int:
    page.wait_for_function(f"({STEP})() >= {least}", timeout=PATIENCE)
    return page.evaluate(STEP)


def until_text(page, pattern: str) -> None:
    page.wait_for_function(f"/{pattern}/.test(document.body.innerText)", timeout=PATIENCE)


def test_a_run_is_steered_watched_twice_and_inspected(page, own_home):
    run = paused_run(own_home)
    with serve(own_home) as (url, _):
        page.set_viewport_size({"width": 1920, "height": 1080})
        page.goto(f"{url}/Live?run={run}")
        until_text(page, "Ready\\.")
        page.get_by_role("button", name="Resume").first.click()
        first = until_step(page, 5)
        page.wait_for_function(
            "document.querySelectorAll('[class*=st-key-live] canvas').length >= 5"
        )
        page.evaluate("window.kept = [...document.querySelectorAll('[class*=st-key-live] canvas')]")
        # The charts are the same elements while the numbers move on, over more than 20 ticks.
        page.wait_for_timeout(22_000)
        assert until_step(page, first + 5) > first
        assert page.evaluate("window.kept.every((canvas) => canvas.isConnected)")
        # A second viewer and a refresh see the same run, further on.
        second = page.context.new_page()
        second.goto(f"{url}/Live?run=latest")
        assert until_step(second, first) >= first
        second.close()
        page.reload()
        until_step(page, first)
        # A pause freezes the counter, a step moves it by one.
        page.get_by_role("button", name="Pause").first.click(
            timeout=2 * PATIENCE
        )  # a closed window holds on
        until_text(page, "Paused")
        page.wait_for_timeout(1500)  # the tick that said so may still be drawing the counter
        halted = page.evaluate(STEP)
        page.wait_for_timeout(3000)
        assert page.evaluate(STEP) == halted
        page.get_by_role("button", name="Step", exact=False).and_(
            page.locator(":enabled")
        ).first.wait_for()
        page.keyboard.press("s")
        assert until_step(page, halted + 1) == halted + 1
        until_text(page, "Paused")
        page.get_by_role("button", name="Stop and keep").first.click()
        page.get_by_text("Inspect what changed").first.click()
        page.wait_for_url(re.compile(f"Inspect.*run={run}"))
        page.get_by_role("tab", name="Classes").click()
        open_a_cell(page)
        for width, height in ((1920, 1080), (1024, 768)):
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_timeout(500)
            main = "document.querySelector('[data-testid=stMain]')"
            assert page.evaluate(f"{main}.scrollWidth <= {main}.clientWidth"), width


def open_a_cell(page) -> None:
    """Click about until a cell of the confusion before adaptation answers with its images."""
    chart = page.locator("[class*=st-key-inspect-confusion][class*=before] canvas").first
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    for share in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
        for height in (0.1, 0.3, 0.5, 0.7):
            page.mouse.click(box["x"] + share * box["width"], box["y"] + height * box["height"])
            page.wait_for_timeout(400)
            if re.search(r"\d+ of “.+”, answered", page.inner_text("body")):
                return
    raise AssertionError("no cell answered a click")
