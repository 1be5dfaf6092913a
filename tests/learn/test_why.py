"""Every "why?" leads to a place of Learn that exists, and each is asked somewhere."""

import re
from pathlib import Path

import pytest

from ueo_core.learn.knobs import PRESETS
from ueo_core.learn.link import VIEWS, parse
from ueo_core.learn.scenes import SCENES
from ueo_core.learn.why import WHY

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("topic", WHY)
def test_a_why_leads_where_it_says(topic):
    link = WHY[topic].link
    shown = parse(link)
    assert shown.view == link.get("view", "story") and shown.view in VIEWS
    assert shown.scene == link.get("scene", shown.scene) and shown.scene in SCENES
    if "preset" in link:
        assert shown.knobs == PRESETS[link["preset"]].knobs
    assert WHY[topic].question.endswith("?")


def test_every_topic_is_asked_on_some_page_and_no_other():
    sources = {p: p.read_text(encoding="utf-8") for p in (ROOT / "ui").rglob("*.py")}
    asked = set()
    for text in sources.values():
        if "ui.common.learn_link import" in text:
            asked |= set(re.findall(r'why\("(\w+)"', text))
            asked |= set(re.findall(r'(?:titled|_head)\(.*, "(\w+)"\)', text))
    from ui.adapt.fields import WHY as of_settings

    assert asked | set(of_settings.values()) == set(WHY)
