"""The Learn page in a real browser: presented with the keyboard, played, shared, on a phone."""

import time

import pytest

from tests.browser.conftest import PATIENCE, press
from ueo_core.learn.scenes import SCENES

pytestmark = pytest.mark.browser

TITLES = [f"{i} · {scene.title}" for i, scene in enumerate(SCENES.values(), 1)]


def heading(page, text: str) -> None:
    page.get_by_role("heading", name=text, exact=True).wait_for(timeout=PATIENCE)


def wait_for_triangle(page) -> None:
    """Wait until the triangle and its step counter have been drawn."""
    page.locator(".count", has_text="step").wait_for()


def settled(element) -> None:
    """Wait until an element has kept its place and size for a quarter of a second."""
    element.evaluate(
        """async (e) => {
            const place = () => JSON.stringify(e.getBoundingClientRect());
            for (let since = performance.now(), last = place(); performance.now() - since < 250; ) {
                await new Promise(requestAnimationFrame);
                if (place() !== last) { last = place(); since = performance.now(); }
            }
        }"""
    )


def count(page) -> str:
    return page.locator(".count").inner_text()


def fits(page) -> None:
    """Wait until the whole scene fits on the screen."""
    page.wait_for_function(
        "() => { const m = document.querySelector('[data-testid=stMain]'); "
        "return m.scrollHeight <= m.clientHeight && m.scrollWidth <= m.clientWidth; }"
    )


# Finds pictures without a name, in every shadow root. Pictures in buttons and links are decoration.
NAMELESS = """() => {
  const found = [];
  const walk = (root) => {
    for (const e of root.querySelectorAll("*")) {
      if (e.shadowRoot) walk(e.shadowRoot);
      if (!e.matches("img, canvas, svg, [role=img]") || !e.getClientRects().length) continue;
      if (e.closest("[aria-hidden=true], button, a, [data-baseweb=select]")) continue;
      const named = e.closest("[aria-label], img[alt]");
      if (!(named?.getAttribute("aria-label") || named?.alt)) found.push(e.outerHTML.slice(0, 200));
    }
  };
  walk(document.querySelector("[data-testid=stMain]"));
  return found;
}"""


def named(page) -> None:
    """Wait until every picture has a name: its script sets it when it draws."""
    page.wait_for_function(f"() => !({NAMELESS})().length")


@pytest.mark.parametrize(
    ("view", "pictures"),
    [
        ("triangle", "canvas.simplex"),
        ("image", ".image svg[role=img]"),
        ("formula", "canvas.simplex"),
    ],
)
def test_every_picture_of_a_view_has_a_name(page, app_url, view, pictures):
    page.goto(f"{app_url}/Learn?view={view}")
    page.locator(f"{pictures}[aria-label]").last.wait_for()
    named(page)


def test_the_whole_story_with_the_keyboard(page, app_url):
    page.set_viewport_size({"width": 1024, "height": 768})
    page.goto(f"{app_url}/Learn?present=1")
    for i, title in enumerate(TITLES):
        page.wait_for_function(
            "t => document.querySelector('.st-key-learn-scene input')?.value === t",
            arg=title.replace(" ·", f" of {len(TITLES)} ·"),
        )
        page.wait_for_selector(".learn-do")
        fits(page)
        named(page)
        if i < len(TITLES) - 1:
            press(page, "PageDown", ".st-key-learn-next button")  # what a presenter's remote sends
    press(page, "f", ".st-key-learn-present button")
    heading(page, TITLES[-1])
    press(page, "ArrowLeft", ".st-key-learn-back button")
    heading(page, TITLES[-2])


class Connection:
    """The connection between page and server; messages of the server can be delayed."""

    def __init__(self, page):
        self.held, self.holding, self.sent, self.page = [], False, 0, page
        page.route_web_socket("**/_stcore/stream", self._route)

    def _route(self, to_page):
        self.to_page, server = to_page, to_page.connect_to_server()

        def from_page(message):
            self.sent += 1
            server.send(message)

        to_page.on_message(from_page)
        server.on_message(lambda m: self.held.append(m) if self.holding else to_page.send(m))

    def until(self, condition) -> None:
        deadline = time.monotonic() + PATIENCE / 1000
        while not condition():
            assert time.monotonic() < deadline
            self.page.wait_for_timeout(10)

    def release(self) -> None:
        self.holding = False
        for message in self.held:
            self.to_page.send(message)


def wait_for_sixth_scene(page) -> None:
    """Wait for the list, title, text and picture of the sixth scene, with its own batch."""
    page.locator(".panel").nth(2).wait_for()
    page.keyboard.press(".")
    page.wait_for_url("**scene=weights&step=1")
    page.locator(".learn-do", has_text=SCENES["weights"].task).wait_for()
    heading(page, TITLES[5])
    assert page.locator(".st-key-learn-scene input").input_value() == TITLES[5].replace(
        " ·", f" of {len(TITLES)} ·"
    )


def test_a_late_message_of_the_old_scene_does_not_undo_the_change(page, app_url):
    connection = Connection(page)
    page.goto(f"{app_url}/Learn?scene=term-two")
    wait_for_triangle(page)
    connection.holding, before = True, connection.sent
    press(page, "PageDown", ".st-key-learn-next button")
    # Python has changed the scene, the browser has not received it yet.
    connection.until(lambda: connection.held)
    page.keyboard.press("b")
    # The message of the old picture, with the old address.
    connection.until(lambda: connection.sent == before + 2)
    connection.release()
    wait_for_sixth_scene(page)
    # Only the browser's own buttons replace the state.
    press(page, "ArrowRight", ".st-key-learn-next button")
    heading(page, TITLES[6])
    page.go_back()
    heading(page, TITLES[5])
    page.locator(".learn-do", has_text=SCENES["weights"].task).wait_for()
    assert count(page) == "step 1 / 60"


@pytest.mark.parametrize("picture_first", [False, True])
def test_scene_and_picture_changed_at_the_same_time(page, app_url, picture_first):
    page.goto(f"{app_url}/Learn?scene=term-two")
    wait_for_triangle(page)
    page.locator(".st-key-learn-next button").wait_for()
    page.evaluate(
        """first => {
          const turn = () => document.querySelector(".st-key-learn-next button").click();
          const key = (kind) => document.dispatchEvent(new KeyboardEvent(kind, { key: "b" }));
          if (!first) turn();
          key("keydown");
          key("keyup");
          if (first) turn();
        }""",
        picture_first,
    )
    wait_for_sixth_scene(page)


def test_space_plays_and_the_url_keeps_the_step(page, app_url):
    page.goto(f"{app_url}/Learn?scene=weights")
    wait_for_triangle(page)
    assert count(page) == "step 0 / 60"
    page.keyboard.press(".")
    page.wait_for_url("**step=1*")
    page.keyboard.press("Space")
    page.locator(".toggle", has_text="Pause").wait_for()
    page.locator(".toggle", has_text="Play").wait_for(timeout=30_000)
    assert count(page) == "step 60 / 60"
    page.wait_for_url("**step=60*")
    assert "confidence stays lower on unknown images" in page.locator(".panel").last.inner_text()
    page.reload()
    wait_for_triangle(page)
    assert count(page) == "step 60 / 60"


def test_a_setting_changes_the_picture_and_keeps_the_focus(page, app_url):
    page.goto(f"{app_url}/Learn?view=triangle&step=60")
    wait_for_triangle(page)
    page.locator(".words").first.evaluate("e => { e.marked = true }")
    page.get_by_role("button", name="λ = 0").click()
    page.locator(".panel").last.locator("b.two", has_text="0.0 ×").wait_for()
    slider = page.get_by_role("slider", name="λ: weight of term two")
    slider.focus()
    for value in ("0.1", "0.2", "0.3"):  # leaves the preset, and keeps the focus
        page.keyboard.press("ArrowRight")
        page.locator(".panel").last.locator("b.two", has_text=f"{value} ×").wait_for()
    page.wait_for_url("**trade=0.3*")
    assert page.locator(".words").first.evaluate("e => e.marked")  # the same node: no remount


def test_the_toolbar_does_not_cover_the_views(page, app_url):
    page.goto(f"{app_url}/Learn?view=exercises")
    page.get_by_role("button", name="Try it").first.wait_for()
    page.get_by_role("radio", name="Formula", exact=True).click()
    heading(page, "The formula, symbol by symbol")
    page.get_by_role("button", name="weight in term two").click()
    page.wait_for_url("**symbol=q*")
    page.locator(".means", has_text="weight in term two").wait_for()
    # A symbol can also be selected in the formula itself; the triangle shows it.
    symbol = page.locator('.st-key-learn-formula [style*="rgb(0, 0, 8)"]').first.bounding_box()
    page.mouse.click(symbol["x"] + symbol["width"] / 2, symbol["y"] + symbol["height"] / 2)
    page.locator(".means", has_text="mean prediction").wait_for()
    page.wait_for_url("**symbol=pbar*")
    assert page.locator("select.dots").input_value() == "q"
    page.get_by_role("button", name="Scene: Term two").click()
    heading(page, TITLES[4])


def test_the_threshold_and_its_sentence_follow_the_mouse(page, app_url):
    page.goto(f"{app_url}/Learn?scene=hills&played=1")
    picture = page.locator("svg.picture")
    picture.locator(".handle").wait_for(state="attached")
    box = picture.bounding_box()
    words = page.locator(".learn-lead [data-check=threshold]")
    before = words.inner_text()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    held = words.inner_text()
    assert held != before  # at once, during the drag
    page.mouse.up()
    page.wait_for_url("**line=*")
    page.keyboard.press(".")
    page.wait_for_function(
        "t => document.querySelector('.learn-lead [data-check=threshold]').innerText !== t",
        arg=held,
    )
    moved = words.inner_text()
    below = 100 - int(moved.split("accepts ")[1].split("\u00a0%")[0])
    page.wait_for_url(lambda url: f"line={below}" in url or f"line={below + 1}" in url)
    page.reload()
    picture.locator(".handle").wait_for(state="attached")
    assert words.inner_text() == moved


def test_the_temperature_changes_without_a_message_to_the_server(page, app_url):
    page.goto(f"{app_url}/Learn?view=image")
    page.locator(".image .bars").first.wait_for()
    assert page.locator(".slide output").inner_text() == "T = 1.00"
    before = page.locator(".image .sides").inner_text()
    page.keyboard.press(".")
    assert page.locator(".slide output").inner_text() != "T = 1.00"
    assert page.locator(".image .sides").inner_text() != before
    page.wait_for_url("**zoom=1.0*")
    turned = page.locator(".image .sides").inner_text()
    page.reload()
    page.locator(".image .bars").first.wait_for()
    assert page.locator(".image .sides").inner_text() == turned


def test_a_dot_is_dragged_and_reset(page, app_url):
    page.goto(f"{app_url}/Learn?scene=term-one")
    wait_for_triangle(page)
    canvas = page.locator("canvas.simplex")
    canvas.scroll_into_view_if_needed()
    settled(canvas)
    # Relative to the width of the canvas, because elements above it may still move or resize it; for the
    # same reason the canvas itself notes where the pointer is, as shares of its width.
    spot = (
        "c => { const b = c.getBoundingClientRect(), [x, y] = c.places[0]; "
        "return [b.left, b.top, b.width, x / b.width, y / b.width]; }"
    )
    canvas.evaluate(
        "c => c.addEventListener('pointermove', (e) => { const b = c.getBoundingClientRect(); "
        "c.last = [(e.clientX - b.left) / b.width, (e.clientY - b.top) / b.width]; })"
    )
    left, top, width, *before = canvas.evaluate(spot)
    x, y = (at + width * share for at, share in zip((left, top), before, strict=True))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 30, y - 60, steps=4)
    wanted = canvas.evaluate("c => c.last")
    page.mouse.up()
    page.wait_for_url("**moved=*")
    page.get_by_role("button", name="Reset the dots").wait_for()
    assert max(abs(a - b) for a, b in zip(wanted, before, strict=True)) > 20 / width
    assert canvas.evaluate(spot)[3:] == pytest.approx(wanted, abs=4 / width)
    page.get_by_role("button", name="Reset the dots").click()
    page.wait_for_url(lambda url: "moved" not in url)
    back = canvas.evaluate(  # the picture changes after the address
        """async (c, [x, y]) => {
            const away = () => Math.hypot(c.places[0][0] / c.clientWidth - x, c.places[0][1] / c.clientWidth - y);
            for (let i = 0; i < 600 && away() > 0.002; i++) await new Promise(requestAnimationFrame);
            return away();
        }""",
        before,
    )
    assert back < 0.002


def test_drawings_are_marked_by_key(page, app_url):
    page.goto(f"{app_url}/Learn?scene=strangers")
    page.locator(".card").nth(7).wait_for()
    page.keyboard.press("3")
    page.locator(".card[aria-pressed=true]").wait_for()
    page.wait_for_url("**ticks=4*")
    press(page, "v", ".st-key-learn-reveal button")
    page.locator(".badge").nth(7).wait_for()
    assert page.locator(".card[aria-pressed=true]").count() == 1
    assert "Marked correctly" in page.locator(".learn-lead").inner_text()


@pytest.mark.parametrize("size", [(1920, 1080), (1024, 768)])
def test_while_presenting_a_triangle_fits_on_the_screen(page, app_url, size):
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(f"{app_url}/Learn?scene=weights")
    wait_for_triangle(page)
    press(page, "f", ".st-key-learn-present button")
    page.wait_for_url("**present=1*")
    page.locator("[data-testid=stSidebar]").wait_for(state="hidden")
    fits(page)
    assert page.locator("canvas.simplex").first.bounding_box()["height"] > 0.2 * size[1]
    press(page, "f", ".st-key-learn-present button")
    page.locator("[data-testid=stSidebar]").wait_for()


@pytest.mark.parametrize("query", ["?scene=weights&step=30", "?scene=strangers", "?view=triangle"])
def test_nothing_is_wider_than_a_phone(browser, app_url, query):
    context = browser.new_context(viewport={"width": 390, "height": 844})
    context.set_default_timeout(PATIENCE)
    phone = context.new_page()
    phone.goto(f"{app_url}/Learn{query}")
    phone.wait_for_selector(".card" if "strangers" in query else ".toggle")
    width = phone.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
    assert width <= 390
    if "weights" in query:  # one triangle at a time, chosen by a tab
        assert phone.locator(".panel:visible").count() == 1
        phone.get_by_role("tab", name="EntMin").click()
        assert phone.locator(".panel:visible h3").inner_text() == "EntMin"
    context.close()


@pytest.mark.parametrize("width", [1280, 1920])
def test_the_controls_of_the_presented_triangle_do_not_overlap(page, app_url, width):
    page.set_viewport_size({"width": width, "height": 1080})
    page.goto(f"{app_url}/Learn?view=triangle&present=1")
    page.locator("canvas.simplex").first.wait_for()
    look = page.locator(".bar.look label").first.bounding_box()
    for control in ("output.count", ".at"):
        box = page.locator(control).first.bounding_box()
        beside = box["x"] + box["width"] <= look["x"] or look["x"] + look["width"] <= box["x"]
        assert beside or look["y"] >= box["y"] + box["height"]
