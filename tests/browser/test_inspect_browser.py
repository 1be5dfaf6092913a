"""Inspect in a real browser: brushing both ways, labeling by keyboard alone, a checkpoint on request."""

import json
import re

import pytest

from tests.helpers.run_folders import CLASSES, image_set, write_run
from ueo_core.analysis.run_result import read_inspection
from ueo_core.config.settings import Settings
from ueo_core.data.store import Store
from ueo_core.evaluation.ood_scores import DEFAULT_SCORE
from ueo_core.runs.create import create_run
from ueo_core.runs.worker import execute
from ueo_core.utils.paths import runs_root, store_root

from .conftest import PATIENCE, serve

pytestmark = pytest.mark.browser

# Where Plotly has drawn the images of the left panel, in pixels of the window, by image.
PLACES = """() => {
  const plot = document.querySelector('.js-plotly-plot');
  if (!plot?._fullLayout) return {};
  const {x, y} = plot.getBoundingClientRect();
  const {xaxis, yaxis} = plot._fullLayout, found = {};
  for (const t of plot._fullData.filter(t => t.type === 'scattergl' && t.xaxis === 'x'))
    t.customdata.forEach((id, i) => found[id] = [
      x + xaxis._offset + xaxis.d2p(t.x[i]), y + yaxis._offset + yaxis.d2p(t.y[i])]);
  return found;
}"""
RING = """() => {
  const plot = document.querySelector('.js-plotly-plot');
  const ring = plot?._fullData?.find(t => t.name === 'selected image' && t.xaxis === 'x');
  if (!ring) return null;
  for (const t of plot._fullData.filter(t => t.type === 'scattergl' && t.xaxis === 'x'))
    for (let i = 0; i < t.x.length; i++)
      if (Math.hypot(t.x[i] - ring.x[0], t.y[i] - ring.y[0]) < 1e-6) return t.customdata[i];
}"""


@pytest.fixture
def url(browser, own_home):
    """A server over the test's home."""
    own_home.mkdir(exist_ok=True)
    with serve(own_home) as (address, _):
        yield address


def _box(places: dict) -> tuple:
    """A rectangle with some images in it and none near its edge. → two corners, the images"""
    for x, y in sorted(places.values())[20:60]:
        for half in range(30, 90, 4):
            away = {i: max(abs(a - x), abs(b - y)) - half for i, (a, b) in places.items()}
            inside = {i for i, d in away.items() if d < 0}
            if 3 <= len(inside) <= 20 and min(map(abs, away.values())) > 4:
                return (x - half, y - half), (x + half, y + half), inside
    raise AssertionError("no such rectangle")


def test_a_brush_shows_its_images_and_an_image_shows_its_point(page, own_home, url):
    folder = write_run("r")
    names = Store(store_root()).open(folder.config["pool"]["set"]).names
    page.goto(f"{url}/Inspect?run=r")
    page.get_by_role("tab", name="Map").click()
    page.wait_for_function(f"() => Object.keys(({PLACES})()).length === 80")
    page.locator(".js-plotly-plot").scroll_into_view_if_needed()
    places = {int(k): v for k, v in page.evaluate(PLACES).items()}
    (left, top), (right, bottom), expected = _box(places)
    page.mouse.move(left, top)
    page.mouse.down()
    for corner in ((right, top), (right, bottom), (left, bottom), (left, top)):
        page.mouse.move(*corner, steps=6)
    page.mouse.up()
    page.get_by_text(f"{len(expected)} images selected").wait_for()
    page.locator(".ueo-thumb").nth(len(expected) - 1).wait_for()
    titles = page.locator(".ueo-thumb").evaluate_all("cards => cards.map(c => c.title)")
    assert set(titles) == {names[i] for i in expected}
    # In the other direction: a ring marks the image that is clicked, and no other.
    image = sorted(expected)[-1]
    page.locator(f'.ueo-thumb[title="{names[image]}"]').click()
    page.wait_for_function(f"() => ({RING})() === {image}")
    page.locator(".st-key-inspect-chosen").get_by_text(names[image]).wait_for()
    # A card can be chosen by keyboard as well.
    other = min(expected)
    page.locator(f'.ueo-thumb[title="{names[other]}"]').focus()
    page.keyboard.press("Enter")
    page.wait_for_function(f"() => ({RING})() === {other}")


def test_the_threshold_is_dragged_on_the_histogram(page, own_home, url):
    folder = write_run("r")
    scores = read_inspection(folder).parts["pool"].scores(DEFAULT_SCORE)["after"]
    page.goto(f"{url}/Inspect?run=r")
    after = page.locator("svg:has(.handle)").nth(1)
    after.scroll_into_view_if_needed()
    mark, plot = after.locator(".mark").bounding_box(), after.bounding_box()
    x, y = mark["x"], plot["y"] + plot["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(plot["x"] + 0.75 * plot["width"], y, steps=5)
    label = after.locator(".label").text_content()  # while it is held
    page.mouse.up()
    limit, below = re.fullmatch(r"threshold ([\d.]+) · (\d+) of 80 below", label).groups()
    near = sorted(int((scores < float(limit) + d).sum()) for d in (-1e-5, 0, 1e-5))  # as rounded
    assert near[0] <= int(below) <= near[-1] and int(below) != 80
    # Python has received it: the slider and the table have the same threshold.
    page.get_by_test_id("stSliderThumbValue").get_by_text(limit, exact=True).wait_for()
    row = page.locator(".ueo-table tr", has_text="Rejected as unknown").locator("td").last
    row.get_by_text(f"{below} (").wait_for()
    # The same count stands where Python has drawn it again.
    assert f"{below} of 80 below" in after.locator(".label").text_content()
    # And by the keyboard, from there.
    page.keyboard.press("End")
    row.get_by_text("80 (100.0 %)").wait_for()


def test_an_image_of_the_gallery_is_shown_on_the_map(page, own_home, url):
    folder = write_run("r")
    names = Store(store_root()).open(folder.config["pool"]["set"]).names
    page.goto(f"{url}/Inspect?run=r")
    page.get_by_role("tab", name="Images").click()
    card = page.locator(".ueo-thumb").nth(3)
    title = card.get_attribute("title")
    card.click()
    page.get_by_role("dialog").get_by_text(title).wait_for()
    page.get_by_role("button", name="Show on the map").click()
    page.wait_for_function(f"() => ({RING})() === {names.index(title)}")


def test_one_look_at_a_small_screen(page, own_home, url):
    """The verdict, four numbers and the tabs are in the first 400 pixels; stars are apart."""
    write_run("r")
    page.set_viewport_size({"width": 1024, "height": 768})
    page.goto(f"{url}/Inspect?run=r")
    page.get_by_text("Better: adaptation improved the model").wait_for()
    page.wait_for_function("() => document.querySelectorAll('.ueo-tiles > div').length === 4")
    tabs = page.get_by_role("tablist").bounding_box()
    assert tabs["y"] + tabs["height"] <= 400
    page.get_by_role("tab", name="Map").click()
    page.wait_for_function(f"() => Object.keys(({PLACES})()).length === 80")
    nearest = page.evaluate("""() => {
      const {_fullData, _fullLayout: {xaxis, yaxis}} = document.querySelector('.js-plotly-plot');
      const t = _fullData.find(t => t.name === 'class text' && t.xaxis === 'x');
      const at = [...t.x].map((x, i) => [xaxis.d2p(x), yaxis.d2p(t.y[i])]);
      return Math.min(...at.flatMap((a, i) => at.slice(0, i).map(b => Math.hypot(a[0] - b[0], a[1] - b[1]))));
    }""")
    assert nearest >= 11  # the size of a star


def test_a_dozen_labels_by_keyboard_alone(page, own_home, url):
    folder = write_run("r", labeled=False)
    page.goto(f"{url}/Inspect?run=r")
    page.get_by_role("tab", name="Label a few").click()
    page.get_by_role("button", name="Start labeling").click()
    for n, key in enumerate("123012301230"):
        page.get_by_text(f"{n} of 40 images labeled").wait_for()
        page.keyboard.press(key)
    page.get_by_text("12 of 40 images labeled").wait_for()
    page.locator(".ueo-tiles", has_text="Unknown images").wait_for()
    page.keyboard.press("z")
    page.get_by_text("11 of 40 images labeled").wait_for()
    given = json.loads((folder.path / "hand_labels.json").read_text(encoding="utf-8"))["pool"][
        "given"
    ]
    assert [name for _, name in given] == [*CLASSES, None, *CLASSES, None, *CLASSES]


def test_a_checkpoint_is_scored_on_request_and_tsne_computed(page, own_home, url):
    folder = create_run(
        runs_root() / "r",
        Settings.for_backbone("drawings-resnet", epochs=2),
        CLASSES,
        image_set(12, "pool"),
    )
    assert execute(folder)["state"] == "finished"
    page.goto(f"{url}/Inspect?run=r")
    page.get_by_text("step 2, final").first.wait_for()
    page.get_by_role("slider").first.press("ArrowLeft")
    page.get_by_role("button", name="Score this checkpoint").click()
    # The server loads the model first, which is slow on a busy machine.
    page.get_by_role("tab", name="Map").wait_for(timeout=3 * PATIENCE)
    assert page.get_by_text("the model after step 1, not the final one").is_visible()
    assert (folder.path / "scored" / "000001.safetensors").exists()
    page.get_by_role("tab", name="Map").click()
    page.get_by_role("radio", name="t-SNE").click()
    page.get_by_role("button", name="Compute t-SNE").click()
    page.get_by_text("is initialized with the left one").wait_for()
    page.locator(".js-plotly-plot").wait_for()
