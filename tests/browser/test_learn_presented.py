"""The story from beginning to end with the keyboard; the live run is trained to its last step."""

import re
import time

import pytest

from tests.browser.conftest import PATIENCE, press
from ueo_core.drawings.sample import problem
from ueo_core.learn.scenes import SCENES
from ueo_core.learn.triangle_settings import PRESETS, STEPS

pytestmark = [pytest.mark.browser, pytest.mark.long]

SCENE = ".st-key-learn-scene input"
PRESENT, NEXT = ".st-key-learn-present button", ".st-key-learn-next button"
QUESTION = ".st-key-learn-question button"
STATUS = "[data-testid=stProgress]"
TRAINED = 240_000  # milliseconds the live run may take


def plain(text: str) -> str:
    """Text without its non-breaking spaces."""
    return text.replace("\u00a0", " ")


class Keyboard:
    """Uses the page with the keyboard only."""

    def __init__(self, page):
        self.page = page

    def press(self, *keys: str, **button: str) -> None:
        for key in keys:
            press(self.page, key, **button)

    def scene(self, name: str) -> str:
        """Wait until a scene is on the screen, all of it without scrolling. → its sentences"""
        number = list(SCENES).index(name) + 1
        self.page.wait_for_function(
            "([css, t]) => document.querySelector(css)?.value === t",
            arg=[SCENE, f"{number} of {len(SCENES)} · {SCENES[name].title}"],
        )
        self.page.locator(".learn-do", has_text=SCENES[name].task).wait_for()
        self.page.wait_for_function(
            "() => { const m = document.querySelector('[data-testid=stMain]'); "
            "return m.scrollHeight <= m.clientHeight && m.scrollWidth <= m.clientWidth; }"
        )
        return self.text()

    def text(self) -> str:
        return plain(self.page.locator(".learn-lead").inner_text())

    def until(self, css: str, text: str | re.Pattern, timeout: int = PATIENCE) -> str:
        found = self.page.locator(css, has_text=text).first
        found.wait_for(timeout=timeout)
        return found.inner_text()

    def result(self, text: str) -> str:
        """Wait until the scene's sentences contain a result. → the sentences"""
        self.page.wait_for_function(
            "t => document.querySelector('.learn-lead')?.innerText.replaceAll('\u00a0', ' ').includes(t)",
            arg=text,
        )
        return self.text()

    def play(self) -> list[str]:
        """Play the triangle to its end. → the sentence about each method"""
        self.page.locator("canvas.simplex").first.wait_for()
        self.press("Space")
        self.until(".toggle", "Pause")
        self.until(".count", f"step {STEPS} / {STEPS}")
        self.until(".toggle", "Play")
        return [plain(words) for words in self.page.locator(".panel .words").all_inner_texts()]

    def tab_to(self, name: str) -> None:
        """Move the focus on until it is on the control of this name."""
        deep = (
            "() => { let e = document.activeElement; while (e?.shadowRoot?.activeElement) "
            "e = e.shadowRoot.activeElement; return e?.textContent ?? ''; }"
        )
        for _ in range(60):
            self.press("Tab")
            if self.page.evaluate(deep) == name:
                return
        raise AssertionError(f"the Tab key does not reach “{name}”")


def test_the_story_from_beginning_to_end_with_the_keyboard(page, fresh_url, record_property):
    page.set_viewport_size({"width": 1024, "height": 768})
    page.goto(f"{fresh_url}/Learn")
    keyboard, chosen = Keyboard(page), problem()
    page.locator(".card").nth(7).wait_for()
    began = time.monotonic()
    keyboard.press("f", button=PRESENT)
    page.wait_for_url("**present=1*")

    sentences = keyboard.scene("guess")
    assert f"{len(chosen.classes)} classes" in sentences and "above 50 %" not in sentences
    assert set(page.locator(".card b").all_inner_texts()) == {"?"}
    keyboard.press("Space", button=QUESTION)
    keyboard.until(".learn-lead", "above 50 %")
    predictions = page.locator(".card b").all_inner_texts()
    assert len(predictions) == 8 and set(predictions) <= set(chosen.classes)
    keyboard.press("b")
    page.wait_for_url("**draw=1*")

    keyboard.press("ArrowRight", button=NEXT)
    assert "belong to none" in keyboard.scene("strangers")
    keyboard.press("2", "7")
    page.locator(".card[aria-pressed=true]").nth(1).wait_for()
    keyboard.press("v", button=".st-key-learn-reveal button")
    page.locator(".badge").nth(7).wait_for()
    keyboard.until(".learn-lead", "Marked correctly")
    badges = page.locator(".badge").all_inner_texts()
    ood = [b.split("unknown: ")[1] for b in badges if "unknown: " in b]
    assert len(ood) == 3 and not set(ood) & set(chosen.classes)
    assert f"The unknown drawings show: {', '.join(ood)}." in keyboard.text()

    keyboard.press("ArrowRight", button=NEXT)
    assert f"Each of {len(chosen.test)} drawings" in keyboard.scene("hills")
    keyboard.press("2", button=QUESTION)
    page.wait_for_url("**predicted=2*")
    keyboard.press("Space", button=QUESTION)
    keyboard.until(".learn-outcome", "What happened")
    page.locator("svg.picture .handle").wait_for(state="attached")
    assert "accepts 95 %" in keyboard.text()
    page.locator("svg.picture .handle").wait_for(state="attached")
    keyboard.press(*["."] * 45)
    keyboard.until(".learn-lead", "accepts 50 %")

    keyboard.press("ArrowRight", button=NEXT)
    assert "dots end" not in keyboard.scene("term-one")
    (words,) = keyboard.play()
    corner = re.search(r"(\d+) of 60 predictions are class ([ABC])", words)
    keyboard.result(f"{corner[1]} of 60 dots end as class {corner[2]}")

    keyboard.press("PageDown", button=NEXT)
    assert "AUC" not in keyboard.scene("term-two")
    assert page.locator(".panel").count() == 2
    infomax = re.search(r"in the corners, with a mean confidence of (\d+) %", keyboard.play()[1])
    keyboard.result(f"their mean confidence ends at {infomax[1]} %")

    keyboard.press("PageDown", button=NEXT)
    assert "AUC" not in keyboard.scene("weights")
    ueo = re.search(
        r"unknown images \((\d+) %\) than on known images \((\d+) %\)", keyboard.play()[2]
    )
    keyboard.result(f"the diamonds ({ueo[1]} %), than on known images ({ueo[2]} %)")

    keyboard.press("ArrowRight", button=NEXT)
    assert f"{len(chosen.pool)} drawings without labels" in keyboard.scene("live")
    keyboard.press("a", button=".st-key-learn-live-start button")
    keyboard.until(STATUS, re.compile(r"Run paused · step 1 of"), TRAINED)
    keyboard.press("s", button=".st-key-learn-live-step button")
    keyboard.until(STATUS, re.compile(r"Run paused · step 2 of"))
    keyboard.press("e")
    keyboard.until(STATUS, re.compile(r"Run paused · step 8 of"))
    keyboard.press("g")
    ended = keyboard.until(STATUS, re.compile(r"Run finished · step (\d+) of \1\b"), TRAINED)
    steps = re.search(r"step (\d+) of", ended)[1]
    assert re.search(r"ACC \d+ → \d+ %, AUC \d+ → \d+ %", ended)
    keyboard.scene("live")

    keyboard.press("ArrowRight", button=NEXT)
    keyboard.scene("moved")
    keyboard.press("Space", button=QUESTION)
    sentences = keyboard.result("of the live run")
    assert re.search(rf"at step {steps} of the live run they have changed by [\d.]+ %", sentences)
    keyboard.until("[data-testid=stMarkdown]", f"Change of each layer at step {steps}")

    keyboard.press("ArrowRight", button=NEXT)
    assert "can fail" not in keyboard.scene("wrong")
    (_, _, ueo) = keyboard.play()
    confident = re.search(r"in the corners, with a mean confidence of (\d+) %", ueo)
    sentences = keyboard.result(f"confidence of {confident[1]} % on unknown images")
    keyboard.tab_to(PRESETS["absent"].title)
    keyboard.press("Enter")
    page.wait_for_url("**absent=1*")
    page.locator(".learn-ask").wait_for()  # another experiment: its result is held back
    keyboard.play()
    assert keyboard.result("can fail") != sentences  # the sentences follow the setting

    keyboard.press("f", button=PRESENT)
    page.get_by_role("heading", name=f"9 · {SCENES['wrong'].title}", exact=True).wait_for()
    record_property("seconds", round(time.monotonic() - began))
