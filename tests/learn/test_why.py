"""Every "why?" link leads to an existing view of Learn, and each is used on some page."""

import re
from pathlib import Path

import pytest

from ueo_core.learn.link import VIEWS, parse
from ueo_core.learn.scenes import SCENES
from ueo_core.learn.triangle_settings import PRESETS
from ueo_core.learn.why import WHY

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("topic", WHY)
def test_a_why_link_opens_its_view(topic):
    link = WHY[topic].link
    shown = parse(link)
    assert shown.view == link.get("view", "story") and shown.view in VIEWS
    assert shown.scene == link.get("scene", shown.scene) and shown.scene in SCENES
    if "preset" in link:
        assert shown.settings == PRESETS[link["preset"]].settings
    assert WHY[topic].question.endswith("?")


def test_the_pages_use_every_topic_and_no_other():
    sources = {p: p.read_text(encoding="utf-8") for p in (ROOT / "ui").rglob("*.py")}
    used = set()
    for text in sources.values():
        if "ui.common.learn_link import" in text:
            used |= set(re.findall(r'why\("(\w+)"', text))
            used |= set(re.findall(r'(?:titled|_heading)\(.*, "(\w+)"\)', text))
    from ui.adapt.fields import LEARN_TOPICS as of_settings

    assert used | set(of_settings.values()) == set(WHY)
