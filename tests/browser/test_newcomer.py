"""First steps of a new user: a live run by one click; the user's own folder; links."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from ueo_core.drawings.sample import problem

from .conftest import PATIENCE, serve

pytestmark = pytest.mark.browser


def idle(page) -> None:
    """Wait until the page's script has run to its end."""
    page.wait_for_function("!document.querySelector('[data-testid=\"stStatusWidget\"]')")


def runs(home) -> list[dict]:
    return [
        json.loads(p.read_text(encoding="utf-8")) for p in (home / "runs").glob("*/config.json")
    ]


def test_a_double_click_starts_one_live_run_and_sigterm_leaves_it_resumable(page, tmp_path):
    with serve(tmp_path) as (url, _):
        page.goto(url)
        page.get_by_role("button", name="Watch it work now").dblclick()
        page.wait_for_url("**/Live?run=*")
        # Certainly running: a run that ends while its model is loading has no checkpoint to resume from.
        # Its rate is chosen before the first step.
        page.get_by_text(re.compile(r"step [1-9]\d* of")).first.wait_for(timeout=4 * PATIENCE)
        found = runs(tmp_path)
        assert len(found) == 1
        assert found[0]["pool"]["n"] == len(problem().pool)
        # A refresh is a new session: the same run, not another one.
        page.reload()
        page.get_by_text("drawings-resnet").first.wait_for()
        assert len(runs(tmp_path)) == 1
    state = json.loads(next((tmp_path / "runs").glob("*/state.json")).read_text(encoding="utf-8"))
    assert state["state"] in ("paused", "finished")
    if state["state"] == "paused":  # the machine was not faster than the test
        name = f"{state['step']:06d}.safetensors"
        assert list((tmp_path / "runs").glob(f"*/checkpoints/{name}"))


def make_folder(path) -> None:
    g = np.random.default_rng(0)
    for noun in ("key", "Fishes"):
        (path / noun).mkdir(parents=True)
        for i in range(3):
            pixels = g.integers(0, 256, (90, 120, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path / noun / f"{i}.png")
    (path / "key" / "<img src=x onerror=alert(1)>.png").write_bytes(
        (path / "key" / "0.png").read_bytes()
    )
    (path / "notes.txt").write_text("not an image", encoding="utf-8")


def test_a_folder_becomes_a_dataset_with_a_report(page, fresh_url, tmp_path):
    folder = tmp_path / "My holiday"
    make_folder(folder)
    alerts = []
    page.on("dialog", lambda d: (alerts.append(d.message), d.dismiss()))
    page.goto(f"{fresh_url}/Data")
    page.get_by_test_id("stButtonGroup").get_by_role("radio", name="Folder").click()
    page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(folder)
    page.get_by_text("Usable images").wait_for()
    values = page.get_by_test_id("stMetricValue").all_inner_texts()
    assert values == ["6", "1", "1", "0", "0"]  # usable, skipped, duplicates, classes, test images
    assert not list((tmp_path / "uploads").iterdir())
    # The dataset is in the link: another session finds it.
    address = page.url
    assert "?data=my-holiday-" in address
    page.get_by_label("Class names", exact=True).last.fill("key\nfish")
    page.get_by_role("button", name="Save class names").click()
    page.get_by_role("button", name="Adapt CLIP to these images").wait_for()
    page.goto(address)
    page.get_by_role("tab", name="Labels").click()
    page.get_by_text("Names of the subfolders").click()
    # “Fishes” looks like fish, which is preselected.
    page.get_by_text("6 images of your classes (ID), 0 of anything else (OOD)").wait_for()
    page.get_by_role("tab", name="Images").click()
    page.locator(".ueo-grid img").nth(5).wait_for()
    assert page.locator(".ueo-grid img").count() == 6
    page.get_by_role("button", name="Adapt CLIP to these images").click()
    page.get_by_text("6 unlabeled images, 2 classes").wait_for()
    assert not alerts


def test_the_keyboard_alone_starts_a_run(page, fresh_url):
    page.goto(fresh_url)
    button = page.get_by_role("button", name="Watch it work now")
    button.wait_for()
    for _ in range(30):
        page.keyboard.press("Tab")
        if button.evaluate("b => b === document.activeElement"):
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/Live?run=*")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1920, 1024, 390])
def test_no_page_scrolls_sideways(browser, app_url, scheme, width):
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    context.set_default_timeout(60_000)
    page = context.new_page()
    for path, text in (
        ("", "Watch it work now"),
        ("Data", "Add images"),
        ("Adapt", "no images yet"),
    ):
        page.goto(f"{app_url}/{path}")
        page.get_by_text(text).first.wait_for()
        idle(page)
        wide = page.evaluate(
            "() => { const m = document.querySelector('[data-testid=stMain]');"
            " return m.scrollWidth - m.clientWidth; }"
        )
        assert wide <= 0, path
    context.close()
