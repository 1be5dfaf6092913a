"""The report in a real browser: nothing overflows, no number breaks, nothing is cut off in print."""

import pytest

from tests.helpers.run_folders import write_run
from ueo_core.report.html import write_report

pytestmark = pytest.mark.browser

LONG = "mushroomswithoutanyspace" * 5
# Numbers and names of one word whose text takes more than one line.
BROKEN = """() => [...document.querySelectorAll('td, .number, thead th, .classes tbody th, .images b')]
  .filter(e => !(e.tagName == 'TH' && e.textContent.includes(' ')))
  .filter(e => !e.closest('.facts, .confusion thead') && e.textContent.trim())
  .filter(e => {
    const range = document.createRange(); range.selectNodeContents(e);
    return new Set([...range.getClientRects()].map(r => Math.round(r.top))).size > 1;
  }).map(e => e.textContent.trim())"""
WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# Parts that a sheet of paper would cut off on the right.
CUT_OFF = """() => [...document.querySelectorAll('table, figure, svg, p')]
  .filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map(e => e.outerHTML.slice(0, 80))"""


@pytest.fixture
def report(tmp_path):
    """Writes the report of a run with these classes. → its address"""

    def write(*classes: str) -> str:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.html"
        write_report(path, write_run(path.stem, classes=list(classes)))
        return path.as_uri()

    return write


@pytest.mark.parametrize("width", [1280, 390])
def test_no_number_and_no_word_breaks_and_nothing_overflows(page, report, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(report("mushroom", "butterfly", "sun"))
    assert page.evaluate(BROKEN) == []
    assert page.evaluate(WIDE) == 0
    page.goto(report("mushroom", LONG, "sun"))
    assert page.evaluate(WIDE) == 0


def test_light_and_dark_follow_the_system(page, report):
    address, found = report("cat", "dog", "sun"), {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.goto(address)
        color = "getComputedStyle(document.body).backgroundColor"
        found[scheme] = page.evaluate(f"{color}.match(/\\d+/g).map(Number)")
    assert min(found["light"]) > 230 and max(found["dark"]) < 40


def test_it_prints_on_light_paper_and_nothing_is_cut_off(page, report):
    # The width of A4 between the margins of the report, 182 mm, in CSS pixels.
    page.set_viewport_size({"width": 688, "height": 1000})
    page.emulate_media(media="print", color_scheme="dark")
    for name in (LONG, "mushroom"):
        page.goto(report("butterfly", name, "sun"))
        assert page.evaluate(CUT_OFF) == []
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf(format="A4").count(b"/Type /Page\n") <= 5
