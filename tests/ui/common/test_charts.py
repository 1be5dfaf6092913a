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
    assert "areaStyle" in now and "areaStyle" not in then and "markPoint" not in then


def test_without_densities_nothing_is_drawn():
    assert charts.hill_chart(None)["series"] == []
