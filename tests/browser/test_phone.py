"""Every page on a phone: nothing is wider than the screen, and the picture on Start is legible."""

import pytest

from tests.helpers.pages import small_sample  # noqa: F401
from tests.helpers.run_folders import write_run
from ueo_core.workspace.dataset import sample_dataset

from .conftest import PATIENCE, serve

pytestmark = pytest.mark.browser

TALL = 844  # pixels
# Widths of the document, and of the part that scrolls inside it.
WIDTHS = """() => [document.documentElement, document.querySelector('[data-testid=stMain]')]
  .map(e => e.scrollWidth)"""
PAGES = {  # address → text of the drawn page, empty: any heading
    "/": "This machine",
    "/Data": "Data",
    "/Photos": "Photos",
    "/Adapt": "Adapt",
    "/Live?run=r": "Borderline images",
    "/Inspect?run=r": "Effect of the thresholds",
    "/Compare": "Known/unknown score",
    "/Use?run=r": "Command-line equivalent",
    "/Learn": "",
}


@pytest.fixture
def phone(browser, own_home, page):
    """A page of a phone's size and the address of a server with a run whose title is long."""
    own_home.mkdir(exist_ok=True)
    write_run("r", title="UEO · drawings-resnet · Drawings, night: open-partial, seed 0")
    page.set_viewport_size({"width": 390, "height": TALL})
    with serve(own_home) as (url, _):
        yield page, url


def test_no_page_scrolls_sideways(phone):
    page, url = phone
    wide = {}
    for path, text in PAGES.items():
        page.goto(url + path)
        main = page.get_by_test_id("stMain")
        drawn = main.get_by_text(text) if text else main.locator("h1, h2")
        drawn.first.wait_for(timeout=2 * PATIENCE)
        page.wait_for_function(
            "!document.querySelector('[data-testid=stApp][data-test-script-state=running]')"
        )
        if max(page.evaluate(WIDTHS)) > page.evaluate("innerWidth"):
            wide[path] = page.evaluate(WIDTHS)
    assert not wide


def test_titles_take_at_most_two_lines_and_the_picture_is_stacked(phone):
    page, url = phone
    for path in ("/Live?run=r", "/Inspect?run=r"):
        page.goto(url + path)
        heading = page.locator(".st-key-ueo-heading h2")
        heading.wait_for()
        assert heading.bounding_box()["height"] < 90
    page.goto(url)
    tall, wide = (
        page.locator(".st-key-ueo-overview-tall img"),
        page.locator(".st-key-ueo-overview-wide"),
    )
    tall.wait_for()
    assert not wide.is_visible()
    # The smallest text is at least 11 pixels high as drawn.
    scale = tall.bounding_box()["width"] / 610
    assert 22 * scale >= 11


# Where the wall and the box of the names are. The wall's own parts are in a shadow tree.
PLACES = """() => {
  const box = (name) => document.querySelector(name)?.getBoundingClientRect();
  const wall = box('[class*=st-key-photos-wall-]'), names = box('[data-testid=stTextAreaRootElement]');
  return wall && names &&
    { above: wall.bottom <= names.top, beside: names.right < wall.left, low: names.height };
}"""


def test_photos_come_before_names_and_settings(browser, own_home, page, small_sample):  # noqa: F811
    own_home.mkdir(exist_ok=True)
    sample_dataset()
    page.set_viewport_size({"width": 390, "height": TALL})
    with serve(own_home) as (url, _):
        page.goto(f"{url}/Photos")
        page.locator(".wall h4.unknown").wait_for(timeout=3 * PATIENCE)
        page.wait_for_function(f"({PLACES})()?.above")
        assert page.evaluate(PLACES)["low"] < 100
        photos = page.locator(".view").bounding_box()
        assert photos["y"] < TALL / 2 < photos["height"] < TALL * 2 / 3
        for width, height in ((1024, 768), (1920, 1080)):
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_function(f"({PLACES})()?.beside")
            assert page.evaluate(PLACES)["low"] > 130
