"""The chart of score distributions that Live and Learn share."""

import numpy as np

from ueo_core.analysis.histograms import densities
from ui.common import charts


def test_known_and_unknown_differ_by_color_and_by_symbol_at_the_peak():
    found = densities({"known": np.array([0.4, 0.5, 0.6]), "unknown": np.array([0.1, 0.2])})
    known, unknown = charts.hill_chart(found)["series"]
    assert known["lineStyle"]["color"] == charts.KNOWN
    assert unknown["lineStyle"]["color"] == charts.UNKNOWN
    assert known["markPoint"]["symbol"] != unknown["markPoint"]["symbol"]
    for series, name in ((known, "known"), (unknown, "unknown")):
        x, y = series["markPoint"]["data"][0]["coord"]
        peak = int(found.density[name].argmax())
        assert (x, y) == (round(found.x[peak], 6), round(found.density[name][peak], 6))


def test_step_0_is_dashed_and_hollow():
    values = np.array([0.1, 0.2, 0.3])
    then, now = charts.hill_chart(
        densities({"step 0 · all images": values, "now · all images": values + 0.1})
    )["series"]
    assert (then["lineStyle"]["type"], now["lineStyle"]["type"]) == ("dashed", "solid")
    assert "areaStyle" in now and "areaStyle" not in then
    assert [m["markPoint"]["data"][1]["label"]["formatter"] for m in (then, now)] == [
        "step 0 · all images",
        "now · all images",
    ]


def test_the_names_of_four_curves_do_not_cover_each_other():
    g = np.random.default_rng(0)
    groups = {
        f"{when} · {who}": 0.1 + 0.01 * g.random(40)
        for when in ("step 0", "now")
        for who in ("known", "unknown")
    }
    found = densities(groups)
    places = charts.peak_labels(found.x, found.density, 13, width=300, height=210)
    top = max(float(v.max()) for v in found.density.values()) * 1.25
    span = found.x[-1] - found.x[0]
    boxes = [
        ((x - found.x[0]) / span * 300, y / top * 210, 0.29 * 13 * len(name))
        for name, (x, y) in places.items()
    ]
    for i, (x, y, half) in enumerate(boxes):
        for a, b, reach in boxes[:i]:
            assert abs(x - a) >= half + reach - 0.1 or abs(y - b) >= 1.25 * 13 - 0.1


def test_a_histogram_has_round_ticks_on_a_value_axis():
    spec = charts.bar_chart([0.0371, 0.0571, 0.0771], {"images": [3, 5]}, "w(x)")
    assert spec["xAxis"]["type"] == "value" and spec["xAxis"]["name"] == "w(x)"
    assert (spec["xAxis"]["min"], spec["xAxis"]["max"]) == (0.0371, 0.0771)
    assert not spec["xAxis"]["axisLabel"]["showMinLabel"]
    assert spec["series"][0]["data"] == [[0.0471, 3], [0.0671, 5]]


def test_without_densities_nothing_is_drawn():
    assert charts.hill_chart(None)["series"] == []


def test_names_at_the_ends_of_curves_are_apart():
    found = {
        "ACC": [(0, 50.0), (5, 80.0)],
        "AUC": [(0, 50.0), (5, 80.2)],
        "HM": [(0, 50.0), (5, 80.1)],
    }
    spec = charts.percent_chart(found, 5)
    low, high = spec["yAxis"]["min"], spec["yAxis"]["max"]
    places = sorted(
        (high - s["data"][-1][1]) / (high - low) * 200 + s["endLabel"]["offset"][1]
        for s in spec["series"]
    )
    assert min(b - a for a, b in zip(places, places[1:], strict=False)) >= 1.2 * 13 - 0.2
