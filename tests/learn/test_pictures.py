"""What the page's scripts look up while a hand moves a line or a temperature."""

import numpy as np
import pytest

from ueo_core.learn import pictures
from ueo_core.learn import sentence_numbers as n


def test_every_place_of_the_line_says_what_it_does(stage):
    lines = pictures.hills(stage)["lines"]
    known, strange = stage.score[stage.truth >= 0], stage.score[stage.truth < 0]
    for below in (0, 5, 50, 99):
        line = lines[below]
        kept = 100 * np.mean(known >= np.sort(known)[int(below / 100 * known.size)])
        passed = 100 * np.mean(strange >= np.sort(known)[int(below / 100 * known.size)])
        assert line["kept"] == f"{kept:.0f}"
        assert f"accepts {kept:.0f} % of the known" in line["words"]
        assert f"{passed:.0f} % of the unknown" in line["words"]
        assert line["threshold"] == pytest.approx(
            np.sort(known)[int(below / 100 * known.size)], abs=1e-6
        )
    assert lines[100]["kept"] == "0"
    assert np.all(np.diff([line["threshold"] for line in lines]) >= 0)
    assert lines[5]["words"] in " ".join(
        s.text.format_map(n.of_hills(stage, 5)) for s in pictures.SCENES["hills"].sentences
    )


def test_the_lens_is_softmax_entropy_and_weight_at_every_temperature(stage):
    cosines = stage.cosines[3]
    found = pictures.lens(stage, {"Zero-shot": cosines})
    (side,) = found["sides"]
    order = np.argsort(-cosines)[:6]
    assert side["names"] == [stage.problem.classes[k] for k in order]
    for place in (0, 20, 60):
        z = cosines.astype(float) * stage.scale / found["temperatures"][place]
        p = np.exp(z - z.max())
        p /= p.sum()
        now = side["moments"][place]
        # The temperatures are rounded to two digits in what the page is sent.
        assert now["shares"] == pytest.approx(p[order], abs=2e-3)
        assert now["entropy"] == pytest.approx(-(p * np.log(p)).sum(), abs=1e-2)
        assert now["weight"] == pytest.approx(p.max(), abs=2e-3)
        assert now["inverse"] == pytest.approx(1 / p.max(), abs=1e-2)


def test_the_temperatures_go_from_scaled_to_released(stage):
    found = pictures.lens(stage, {})
    assert found["temperatures"][0] == 1
    assert found["temperatures"][-1] == pytest.approx(stage.scale, abs=0.01)
    assert [pictures.place(stage, t) for t in (0.0, 1.0, 999.0)] == [0, 0, 60]
    for i, t in enumerate(found["temperatures"]):
        assert pictures.place(stage, t) == i  # what a link says is the place it came from


def test_the_axis_of_auc_does_not_exaggerate(stage):
    found = pictures.lens(stage, {})
    low, high = found["range"]
    assert high - low >= 10
    assert low <= min(found["auc"]) and max(found["auc"]) <= high


def test_the_trap_s_numbers_are_those_of_the_test_drawings(stage):
    def spread(temperature):
        z = stage.cosines.astype(float) * stage.scale / temperature
        p = np.exp(z - z.max(1, keepdims=True))
        low, high = np.percentile((p / p.sum(1, keepdims=True)).max(1), [10, 90])
        return high / low

    said = pictures.trap(stage)
    assert f"by up to {spread(1):.2f}×" in said
    assert f"by {spread(stage.scale):.2f}×" in said
    assert spread(stage.scale) < spread(1)
