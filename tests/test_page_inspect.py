"""Inspect: the numbers on the page are those of the metrics, with and without labels."""

import re

from tests.pages import app, at, button  # noqa: F401
from tests.run_folders import CLASSES, SCALE, cosines_of, labels_of, write_run
from ueo_core.metrics import evaluate, truth_from_labels
from ueo_core.report.separation import threshold_at_tpr
from ueo_core.scores import SCORES


def html(page) -> str:
    return " ".join(h.proto.body for h in page.get("html"))


def plain(boxes) -> str:
    return " ".join(b.value for b in boxes).replace("\\", "")


def test_the_table_shows_what_the_metrics_compute_by_every_score(app):  # noqa: F811
    write_run("r")
    page = at(app, "4_Inspect", run="r")
    truth = truth_from_labels(labels_of(80), CLASSES)
    for score in SCORES:
        page.selectbox(key="inspect.score").set_value(score).run()
        assert not page.exception
        cells = re.findall(r"<td>(-?[\d.]+) %</td>", html(page))
        for place, (skill, seed) in enumerate(((0.03, 0), (0.12, 1))):
            found = evaluate(cosines_of(labels_of(80), skill, seed), truth, CLASSES, SCALE, score)
            shown = [float(v) for v in cells[place:10:2]]
            assert shown == [float(f"{found[k]:.1f}") for k in ("acc", "auc", "hm", "fpr95", "ece")]


def test_harm_is_said_first_and_plainly(app):  # noqa: F811
    write_run("r", skill=(0.15, 0.03))
    page = at(app, "4_Inspect", run="r")
    said = plain(page.error)
    assert said.index("Worse: the adaptation did harm here") < said.index("Worse in 3 of 3 classes")


def test_the_threshold_of_95_percent_and_its_consequences(app):  # noqa: F811
    write_run("r")
    page = at(app, "4_Inspect", run="r")
    button(page, "Accept 95 % of the known").click().run()
    truth = truth_from_labels(labels_of(80), CLASSES)
    score = SCORES["mcm"].compute(cosines_of(labels_of(80), 0.12, 1), SCALE)
    slider = page.slider(key="inspect.r.pool.mcm.after")
    assert slider.value == threshold_at_tpr(score, truth)
    assert "<td>57 (95.0 %)</td>" in html(page)  # 57 of 60 known images


def test_without_labels_nothing_pretends_to_know(app):  # noqa: F811
    write_run("r", labelled=False)
    page = at(app, "4_Inspect", run="r")
    assert "Nobody knows yet whether it helped" in plain(page.info)
    assert "a guess" in plain(page.caption)
    assert "TPR" not in html(page) and not page.get("arrow_data_frame")
    assert len(page.get("echarts_chart")) == 2


def test_an_unfinished_run_is_a_sentence(app):  # noqa: F811
    write_run("r", state="paused")
    assert "it is paused and has no result yet" in plain(at(app, "4_Inspect", run="r").info)


def test_without_a_run_there_is_one_way_on(app):  # noqa: F811
    assert "There is no run yet" in plain(at(app, "4_Inspect").info)
