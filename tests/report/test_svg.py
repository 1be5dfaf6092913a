"""Figures: where a value is drawn, round ticks, escaped text."""

import re

import pytest
from markupsafe import Markup

from ueo_core.analysis.per_class import ClassChange
from ueo_core.report import svg


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 100, [0, 20, 40, 60, 80, 100]),
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-0.31, 0.42, [-0.2, 0, 0.2, 0.4]),
        (3, 3, [3]),
        (0.3339, 0.3341, [0.3339, 0.33395, 0.334, 0.33405, 0.3341]),
    ],
)
def test_ticks_are_round_and_within(low, high, expected):
    assert svg.ticks(low, high) == pytest.approx(expected)


def test_bars_are_stacked_and_as_high_as_their_counts():
    drawn = svg.histogram([0, 1, 2], {"known": [4, 0], "unknown": [2, 6]}, "x", 5.0, "h")
    bars = re.findall(
        r'bar (\w+)" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', drawn
    )
    height = {(kind, x): float(h) for kind, x, _, _, h in bars}
    (known,) = [h for (kind, _), h in height.items() if kind == "known"]
    low, high = sorted(h for (kind, _), h in height.items() if kind == "unknown")
    assert known == pytest.approx(2 * low, abs=0.15) and high == pytest.approx(3 * low, abs=0.15)
    on_top = [b for b in bars if b[0] == "unknown" and b[1] == bars[0][1]][0]
    assert float(on_top[2]) + float(on_top[4]) == pytest.approx(float(bars[0][2]), abs=0.15)
    # A threshold beyond the data is drawn at the edge.
    assert f"M{svg.WIDTH - svg.RIGHT:.1f} " in drawn


def test_a_curve_goes_through_its_points():
    frame = svg.Frame(0, 10, 0, 2)
    points = re.search(r'points="(.*)"', svg.curve(frame, [(0, 0), (10, 2)], "loss")).group(1)
    bottom, top = svg.HEIGHT - svg.BOTTOM, svg.TOP
    assert points == f"{svg.LEFT:.1f},{bottom:.1f} {svg.WIDTH - svg.RIGHT:.1f},{top:.1f}"


def test_the_texts_of_a_figure_are_escaped():
    row = ClassChange("<b>&", 3, 50.0, 20.0, 80.0, 60.0, 30.0, 90.0, 1, 0, 1.0)
    drawn = svg.classes([row], "<i>")
    assert isinstance(drawn, Markup) and "&lt;b&gt;&amp; (3)" in drawn
    assert "<b>" not in drawn and "<i>" not in drawn and "&lt;i&gt;" in drawn


def test_the_axes_are_named():
    drawn = svg.lines({"loss": [(1, 0.5), (2, 0.25)]}, "step", "nats", "The loss")
    assert ">step</text>" in drawn and ">nats</text>" in drawn
