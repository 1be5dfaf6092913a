"""The data in which the page's scripts look up the effect of a threshold or a temperature."""

import numpy as np
import pytest

from ueo_core.learn import picture_data
from ueo_core.learn import sentence_numbers as n
from ueo_core.learn.scenes import SCENES


def test_the_effect_of_every_threshold(demo):
    thresholds = picture_data.score_data(demo)["thresholds"]
    known, unknown = demo.score[demo.truth >= 0], demo.score[demo.truth < 0]
    for below in (0, 5, 50, 99):
        found = thresholds[below]
        value = np.sort(known)[int(below / 100 * known.size)]
        assert found["threshold"] == pytest.approx(value, abs=1e-6)
        accepted = [100 * np.mean(scores >= value) for scores in (known, unknown)]
        assert found["known"] == f"{accepted[0]:.0f}"
        assert f"accepts {accepted[0]:.0f} % of the known drawings" in found["words"]
        assert f"and {accepted[1]:.0f} % of the unknown drawings" in found["words"]
    assert thresholds[100]["known"] == "0"
    assert np.all(np.diff([t["threshold"] for t in thresholds]) >= 0)
    assert thresholds[5]["words"] in " ".join(
        s.text.format_map(n.of_scores(demo, 5)) for s in SCENES["hills"].sentences
    )


def test_softmax_entropy_and_weight_at_every_temperature(demo):
    cosines = demo.cosines[3]
    found = picture_data.image_data(demo, {"Zero-shot": cosines})
    (side,) = found["sides"]
    order = np.argsort(-cosines)[:6]
    assert side["names"] == [demo.problem.classes[k] for k in order]
    for place in (0, 20, 60):
        z = cosines.astype(float) * demo.scale / found["temperatures"][place]
        p = np.exp(z - z.max())
        p /= p.sum()
        now = side["moments"][place]
        # The page gets temperatures with two digits.
        assert now["shares"] == pytest.approx(p[order], abs=2e-3)
        assert now["entropy"] == pytest.approx(-(p * np.log(p)).sum(), abs=1e-2)
        assert now["weight"] == pytest.approx(p.max(), abs=2e-3)
        assert now["inverse"] == pytest.approx(1 / p.max(), abs=1e-2)


def test_the_temperatures_go_from_scaled_to_released(demo):
    found = picture_data.image_data(demo, {})
    assert found["temperatures"][0] == 1
    assert found["temperatures"][-1] == pytest.approx(demo.scale, abs=0.01)
    assert [picture_data.temperature_index(demo, t) for t in (0.0, 1.0, 999.0)] == [0, 0, 60]
    for i, t in enumerate(found["temperatures"]):
        assert (
            picture_data.temperature_index(demo, t) == i
        )  # a link with this temperature gives the same index


def test_the_axis_of_auc_does_not_exaggerate(demo):
    found = picture_data.image_data(demo, {})
    low, high = found["range"]
    assert high - low >= 10
    assert low <= min(found["auc"]) and max(found["auc"]) <= high


def test_the_weights_note_has_the_numbers_of_the_test_drawings(demo):
    def spread(temperature):
        z = demo.cosines.astype(float) * demo.scale / temperature
        p = np.exp(z - z.max(1, keepdims=True))
        low, high = np.percentile((p / p.sum(1, keepdims=True)).max(1), [10, 90])
        return high / low

    note = picture_data.weights_note(demo)
    assert f"{spread(1):.2f} times the 10th at T = 1" in note
    assert f"only {spread(demo.scale):.2f} times at T = {demo.scale:.0f}" in note
    assert f"{demo.sweep.auc[0]:.1f} % at T = 1 and {demo.sweep.auc[-1]:.1f} %" in note
    assert spread(demo.scale) < spread(1)
