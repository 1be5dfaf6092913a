"""Learn in a real browser: predict, play, numbers; as large as a projector; text and picture together."""

import re

import pytest

from tests.browser.conftest import PATIENCE, press
from ueo_core.learn.questions import QUESTIONS

pytestmark = pytest.mark.browser

LEAD = ".learn-lead"


def fits(page) -> None:
    page.wait_for_function(
        "() => { const m = document.querySelector('[data-testid=stMain]'); "
        "return m.scrollHeight <= m.clientHeight && m.scrollWidth <= m.clientWidth; }"
    )


def side(page) -> float:
    """The length of a side of the first triangle, pixels."""
    return page.locator("canvas.simplex").first.evaluate(
        "c => c.shares ? 1 / (c.shares(1, 0)[1] - c.shares(0, 0)[1]) : 0"
    )


def open_presented(page, url: str, scene: str, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(f"{url}/Learn?scene={scene}&present=1")
    page.locator(".learn-ask").wait_for()


def test_predict_then_play_then_numbers(page, app_url):
    page.goto(f"{app_url}/Learn?scene=term-one")
    page.locator(".count", has_text="step 0 / 60").wait_for()
    lead = page.locator(LEAD)
    assert not re.search(r"\d %", lead.inner_text())
    press(page, "3", ".st-key-learn-predict-term-one-3 button")
    page.wait_for_url("**predicted=3*")
    page.keyboard.press("Space")
    page.locator(".toggle", has_text="Pause").wait_for()
    page.locator(".learn-outcome").wait_for(timeout=PATIENCE)
    chosen, happened = QUESTIONS["term-one"].options[2].text, QUESTIONS["term-one"].options[0].text
    told = page.locator(".learn-outcome").inner_text()
    assert told == f"Predicted: {chosen}. What happened: {happened}."
    assert "chance is" in lead.inner_text()
    page.keyboard.press("0")  # back at step 0 the numbers stay: it was played
    page.wait_for_url(lambda url: "step=" not in url and "played=1" in url)
    assert "chance is" in lead.inner_text()
    page.keyboard.press("b")  # another batch: another experiment
    page.locator(".learn-ask").wait_for()
    assert "chance is" not in lead.inner_text()


def test_space_alone_plays(page, app_url):
    page.goto(f"{app_url}/Learn?scene=hills")
    page.locator(".learn-ask").wait_for()
    page.locator("svg.picture .name", has_text="known drawings").wait_for()
    assert page.locator("svg.picture .name").all_text_contents() == ["known drawings"]
    press(page, "Space", ".st-key-learn-show-hills button")
    page.locator("svg.picture .name", has_text="unknown drawings").wait_for()
    page.locator(LEAD, has_text="AUC").wait_for()
    assert page.locator(".learn-outcome").count() == 0
    assert page.locator(".scores .legend").count() == 0  # names stand on the curves


def test_one_triangle_fills_the_projector(page, app_url):
    open_presented(page, app_url, "term-one", (1920, 1080))
    fits(page)
    page.wait_for_function(
        "() => [...document.querySelectorAll('*')].some(e => e.shadowRoot?.querySelector('.beside'))"
    )
    assert side(page) > 0.48 * 1920
    canvas = page.locator("canvas.simplex").bounding_box()
    text = page.locator(".st-key-learn-text").bounding_box()
    play = page.locator(".bar.play").bounding_box()
    assert (
        text["x"] >= canvas["x"] + canvas["width"] - 1
    )  # beside it, and what plays below the text
    assert play["x"] >= text["x"] - 1 and play["y"] >= text["y"] + text["height"]
    page.set_viewport_size({"width": 1024, "height": 768})
    fits(page)
    assert side(page) > 0.5 * 1024


def test_three_triangles_fill_the_projector(page, app_url):
    open_presented(page, app_url, "weights", (1920, 1080))
    page.locator(".panel").nth(2).wait_for()
    fits(page)
    assert 3 * side(page) > 0.57 * 1920


@pytest.mark.parametrize("scene", ["guess", "moved"])
def test_a_presented_scene_uses_the_lower_third(page, app_url, scene):
    open_presented(page, app_url, scene, (1920, 1080))
    lowest = page.locator(".card, .learn-squares .all").last
    lowest.wait_for()
    page.wait_for_function(
        """() => { const m = document.querySelector('[data-testid=stMain]');
        return m.scrollHeight <= m.clientHeight; }"""
    )
    box = lowest.bounding_box()
    assert 2 / 3 * 1080 < box["y"] + box["height"] <= 1080


def test_presented_charts_are_legible_from_the_back(page, app_url):
    open_presented(page, app_url, "live", (1920, 1080))
    chart = page.locator(".st-key-learn-live-grid [data-testid=stEChartsChart]").last
    chart.locator("svg, canvas").first.wait_for()
    assert chart.bounding_box()["height"] > 0.4 * 1080
    fits(page)


def test_text_and_picture_point_at_each_other(page, app_url):
    page.goto(f"{app_url}/Learn?scene=weights&played=1")
    page.locator(".count", has_text="step 0 / 60").wait_for()
    canvas = page.locator("canvas.simplex").last
    drawn = "c => c.toDataURL().length + c.toDataURL().slice(-4000)"
    before = canvas.evaluate(drawn)
    term = page.locator('.learn-term[data-mark="unknown"]').first
    term.hover()
    assert canvas.evaluate(drawn) != before
    page.mouse.move(0, 0)
    assert canvas.evaluate(drawn) == before
    term.focus()  # by keyboard as by mouse
    assert canvas.evaluate(drawn) != before
    term.evaluate("e => e.blur()")
    for mark in ("one", "two"):
        page.locator(f'.learn-term[data-mark="{mark}"]').first.hover()
        assert page.locator(f".numbers.{mark}").count() == 3
    spot = canvas.evaluate(
        "c => { c.scrollIntoView({block: 'center'}); const b = c.getBoundingClientRect(); "
        "const [x, y] = c.places.at(-1); return [b.left + x, b.top + y]; }"
    )
    page.mouse.move(*spot)  # the last dots are the unknown images
    page.locator('.learn-term.lit[data-mark="unknown"]').first.wait_for()
    assert page.locator('.learn-term.lit[data-mark="known"]').count() == 0


def test_the_sheet_prints_on_a4(page, app_url, tmp_path):
    page.goto(f"{app_url}/Learn")
    page.get_by_role("button", name="For the teacher").click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Sheet to print").click()
    path = tmp_path / "teacher.html"
    waiting.value.save_as(path)
    sheet = page.context.new_page()
    sheet.set_content(path.read_text(encoding="utf-8"))
    pdf = sheet.pdf(prefer_css_page_size=True)
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 3
    boxes = re.findall(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)", pdf)
    assert {(round(float(w)), round(float(h))) for w, h in boxes} <= {(595, 842), (596, 842)}
    sheet.close()
