"""Inspect: the numbers on the page are those of the metrics, with and without labels."""

import base64
import json
import re

import numpy as np
import torch

from tests.helpers.pages import app, at, button, clean  # noqa: F401
from tests.helpers.run_folders import CLASSES, SCALE, cosines_of, features_of, labels_of, write_run
from ueo_core.analysis import pca_map
from ueo_core.analysis.hand_estimates import estimate_by_hand, judge_by_hand
from ueo_core.analysis.hand_labels import load_hand_labels
from ueo_core.analysis.run_result import read_inspection
from ueo_core.analysis.threshold_effect import threshold_at_tpr
from ueo_core.evaluation.metrics import evaluate, truth_from_labels
from ueo_core.evaluation.ood_scores import SCORES
from ui.inspect import summary


def html(page) -> str:
    return " ".join(h.proto.body for h in page.get("html"))


def plain(boxes) -> str:
    return " ".join(b.value for b in boxes).replace("\\", "")


def tiles(page) -> dict[str, tuple[str, str]]:
    """The numbers at the top: title → value, value before."""
    found = re.findall(
        r"<span>([^<]+)</span><b>([^<]+)</b>(?:<small>before ([^<]+)</small>)?", html(page)
    )
    return {title: (value, before) for title, value, before in found}


def test_the_tiles_show_what_the_metrics_compute_by_every_score(app):  # noqa: F811
    write_run("r")
    page = at(app, "4_Inspect", run="r")
    truth = truth_from_labels(labels_of(80), CLASSES)
    for score in SCORES:
        page.selectbox(key="inspect.score").set_value(score).run()
        assert not page.exception
        before, after = (
            evaluate(cosines_of(labels_of(80), skill, seed), truth, CLASSES, SCALE, score)
            for skill, seed in ((0.03, 0), (0.12, 1))
        )
        shown = tiles(page)
        assert len(shown) == 4 and shown["Classes that got worse"][0] == "0 of 3"
        for key in ("acc", "auc", "hm"):
            assert shown[key.upper()] == (f"{after[key]:.1f} %", f"{before[key]:.1f}")
        for key, title in summary.FURTHER.items():
            row = f"<th>{title}</th><td>{before[key]:.1f} %</td><td>{after[key]:.1f} %</td>"
            assert row in html(page)


def test_the_top_of_the_page_says_everything_once(app):  # noqa: F811
    write_run("r")
    page = at(app, "4_Inspect", run="r")
    text = html(page) + plain([*page.success, *page.markdown])
    shown = tiles(page)
    for title in ("ACC", "AUC", "HM"):
        assert text.count(shown[title][0]) == 1, title
    assert plain(page.success) == "**Better: adaptation improved the model on these images.**"


def test_the_chart_the_table_and_the_gallery_count_the_same_images_below_a_threshold(app):  # noqa: F811
    write_run("r")
    page = at(app, "4_Inspect", run="r")
    scores = SCORES["mcm"].compute(cosines_of(labels_of(80), 0.12, 1), SCALE)
    at_ = np.sort(scores)[30] + 1e-9  # between two positions of the slider
    page.session_state["inspect.thresholds"] = {("r", 4, "pool", "mcm", "after"): float(at_)}
    page.run()
    charts = [json.loads(c.proto.json) for c in page.get("bidi_component")]
    assert charts[1]["below_now"] == 31 and charts[1]["at"] == float(at_)
    assert "<td>31 (38.8 %)</td>" in html(page)
    assert "31 of 80 images" in plain(section(page, "Images").caption)


def test_a_card_says_what_is_decided(app):  # noqa: F811
    folder = write_run("r")
    part = read_inspection(folder).parts["pool"]
    page = section(at(app, "4_Inspect", run="r"), "Images")
    found = json.loads(page.get("bidi_component")[0].proto.json)
    cards = re.split(r'<div class="ueo-thumb[ "]', found["html"])[1:]
    assert len(cards) > 3  # the first view has the suspected unknown
    for image, card in zip(found["images"], cards, strict=True):
        name = CLASSES[part.prediction["after"][image]]
        sure = f"{100 * part.confidence['after'][image]:.0f}&nbsp;%"
        assert f'unknown</span> <span class="was">(closest: {name} {sure})' in card
        wrong = part.truth[image] >= 0
        assert ('class="unknown bad"' in card) == wrong
    page = clean(page.segmented_control(key="inspect.view.True").set_value("most").run())
    found = json.loads(page.get("bidi_component")[0].proto.json)
    best = CLASSES[part.prediction["after"][found["images"][0]]]
    assert f">{best}</span>" in re.split(r'<div class="ueo-thumb[ "]', found["html"])[1]
    # Bigger images, with the pixels for it.
    size = len(found["html"])
    page = clean(page.slider(key="inspect.size").set_value(320).run())
    found = json.loads(page.get("bidi_component")[0].proto.json)
    assert "--thumb: 320px" in found["html"] and len(found["html"]) > size


def test_a_worse_verdict_comes_first(app):  # noqa: F811
    write_run("r", skill=(0.15, 0.03))
    page = at(app, "4_Inspect", run="r")
    assert plain(page.error) == "**Worse: adaptation degraded the model on these images.**"
    assert tiles(page)["Classes that got worse"][0] == "3 of 3"
    assert "Worse in 3 of 3 classes" in plain(page.markdown)


def test_the_threshold_of_95_percent_and_its_consequences(app):  # noqa: F811
    write_run("r")
    page = at(app, "4_Inspect", run="r")
    button(page, "Accept 95 % of the known").click().run()
    truth = truth_from_labels(labels_of(80), CLASSES)
    score = SCORES["mcm"].compute(cosines_of(labels_of(80), 0.12, 1), SCALE)
    slider = page.slider(key="inspect.r.pool.mcm.after")
    assert slider.value == threshold_at_tpr(score, truth)
    assert "<td>57 (95.0 %)</td>" in html(page)  # 57 of 60 known images


def test_without_labels_no_metric_is_shown(app):  # noqa: F811
    write_run("r", labeled=False)
    page = at(app, "4_Inspect", run="r")
    assert "No labels, so improvement cannot be measured" in plain(page.info)
    assert "a heuristic" in plain(page.caption)
    assert "TPR" not in html(page) and not page.dataframe
    assert len(page.get("bidi_component")) == 2  # the two histograms; no ROC


def test_a_cell_of_too_many_classes_for_a_matrix_is_chosen(app, monkeypatch):  # noqa: F811
    monkeypatch.setattr("ui.inspect.classes.MATRIX", 2)
    folder = write_run("r")
    part = read_inspection(folder).parts["pool"]
    page = at(app, "4_Inspect", run="r")
    page.session_state["inspect.tab"] = "Classes"
    page.run()
    page.selectbox(key="inspect.pairs.r.pool.truth").set_value(0).run()
    assert {row["true class"] for _, row in clean(page).dataframe[1].value.iterrows()} == {
        CLASSES[0]
    }
    page.selectbox(key="inspect.pairs.r.pool.answer").set_value(1).run()
    for side in ("before", "after"):
        n = int(((part.truth == 0) & (part.prediction[side] == 1)).sum())
        assert f"{n} images of “{CLASSES[0]}”, predicted “{CLASSES[1]}” {side} adaptation" in plain(
            clean(page).markdown
        )


def test_an_unfinished_run_is_a_message(app):  # noqa: F811
    write_run("r", state="paused")
    assert "it has no result yet (state: paused)" in plain(at(app, "4_Inspect", run="r").info)


def test_without_a_run_the_page_says_how_to_start_one(app):  # noqa: F811
    assert "There is no run yet" in plain(at(app, "4_Inspect").info)


def section(page, name: str):
    """The page with this tab open."""
    page.session_state["inspect.go"] = name
    return clean(page.run())


def test_a_checkpoint_that_has_been_scored_takes_the_place_of_the_final_model(app):  # noqa: F811
    folder, labels = write_run("r"), labels_of(80)
    cosines = cosines_of(labels, 0.06, 5)
    for step in (0, 2, 3):
        folder.save_checkpoint(step, {"context": torch.zeros(2)})
    (folder.path / "scored").mkdir()
    features = torch.from_numpy(features_of(cosines))
    folder.save_tensors(
        "scored/000002",
        {"pool_cosines": torch.from_numpy(cosines), "pool_features": features},
    )
    page = at(app, "4_Inspect", run="r")
    slider = page.select_slider(key="inspect.r.step")
    assert slider.options == [
        "after: step 0, zero-shot",
        "after: step 2",
        "after: step 3",
        "after: step 4, final",
    ]
    assert slider.value == 4
    clean(slider.set_value(2).run())
    found = evaluate(cosines, truth_from_labels(labels, CLASSES), CLASSES, SCALE, "mcm")
    shown = tiles(page)
    assert [shown[k.upper()][0] for k in ("acc", "auc", "hm")] == [
        f"{found[k]:.1f} %" for k in ("acc", "auc", "hm")
    ]
    assert "the model after step 2, not the final one" in plain(page.caption)
    # One that has not been scored: a button for it, and none of its numbers.
    clean(page.select_slider(key="inspect.r.step").set_value(3).run())
    assert "after step 3 has not been scored yet" in plain(page.markdown)
    assert "<table" not in html(page) and not page.tabs
    button(page, "Show the final model").click().run()
    assert page.select_slider(key="inspect.r.step").value == 4 and page.tabs


def test_the_threshold_stays_when_its_tab_is_left(app):  # noqa: F811
    write_run("r")
    page = at(app, "4_Inspect", run="r")
    button(page, "Accept 95 % of the known").click().run()
    score = SCORES["mcm"].compute(cosines_of(labels_of(80), 0.12, 1), SCALE)
    limit = threshold_at_tpr(score, truth_from_labels(labels_of(80), CLASSES))
    page = section(page, "Images")
    assert f"{(score < limit).sum()} of 80 images" in plain(page.caption)
    page = section(page, "Known or unknown")
    assert page.slider(key="inspect.r.pool.mcm.after").value == limit


def test_the_map_holds_every_image_once_a_side_and_a_brush_shows_its_images(app):  # noqa: F811
    write_run("r")
    page = section(at(app, "4_Inspect", run="r"), "Map")
    figure = json.loads(page.get("plotly_chart")[0].proto.spec)
    for axis in ("x", "x2"):
        points = [
            t for t in figure["data"] if t["type"] == "scattergl" and t.get("xaxis", "x") == axis
        ]
        ids = np.concatenate([array(t["customdata"]) for t in points])
        assert sorted(ids) == list(range(80))
        stars = [t for t in figure["data"] if t["name"] == "class text"]
        assert len(stars) == 2 and len(array(stars[0]["x"])) == len(CLASSES)
    page.session_state["inspect.brushed"] = ("r", "pool"), [3, 5, 8]
    clean(page.run())
    assert "3 images selected" in plain(page.markdown)
    figure = json.loads(page.get("plotly_chart")[0].proto.spec)
    brought_out = set()
    for t in figure["data"]:
        if "selectedpoints" in t:
            brought_out |= set(array(t["customdata"])[array(t["selectedpoints"]).astype(int)])
    assert brought_out == {3, 5, 8}
    button(page, "Clear").click().run()
    assert "images selected" not in plain(page.markdown)


def test_the_map_of_many_images_holds_a_sample_and_says_so(app, monkeypatch):  # noqa: F811
    monkeypatch.setattr(pca_map, "MOST", 20)
    write_run("r")
    page = section(at(app, "4_Inspect", run="r"), "Map")
    assert "20 of 80 images are on the map, chosen at random" in plain(page.caption)
    figure = json.loads(page.get("plotly_chart")[0].proto.spec)
    drawn = pca_map.images_on_map(80)
    points = [t for t in figure["data"] if t["type"] == "scattergl" and t.get("xaxis") == "x2"]
    assert sorted(np.concatenate([array(t["customdata"]) for t in points])) == drawn.tolist()
    for image, told in ((int(drawn[0]), False), (min({*range(80)} - {*drawn.tolist()}), True)):
        page.session_state["inspect.selected"] = ("r", "pool"), image
        clean(page.run())
        assert ("not among those on the map" in plain(page.caption)) == told


def array(value) -> np.ndarray:
    """A list of the figure, or an array as Plotly packs it."""
    if isinstance(value, dict):
        return np.frombuffer(base64.b64decode(value["bdata"]), np.dtype(value["dtype"]))
    return np.array(value)


def test_labels_given_by_hand_make_a_verdict_and_can_be_undone(app):  # noqa: F811
    folder = write_run("r", labeled=False)
    part = read_inspection(folder).parts["pool"]
    truth = truth_from_labels(labels_of(80), CLASSES)
    page = section(at(app, "4_Inspect", run="r"), "Label a few")
    button(page, "Start labeling").click().run()
    while len(given := load_hand_labels(folder, part).given) < 12:
        image = load_hand_labels(folder, part).next
        key = int(truth[image]) + 1 if truth[image] >= 0 else 0
        clean(page.button(key=f"inspect.label.{key}").click().run())
    assert all(truth[i] == label for i, label in given.items())
    found = estimate_by_hand(part, load_hand_labels(folder, part), "mcm")
    boxes = plain([*page.info, *page.success, *page.error])
    assert judge_by_hand(found).summary in boxes and "Nobody knows" not in boxes
    before, after = found.right["before"], found.right["after"]
    was = f"{before.value:.0f} ({before.low:.0f} to {before.high:.0f})"
    assert tiles(page)["Accuracy"] == (f"{after.value:.0f} %", was)
    for left in (11, 10, 9):
        clean(page.button(key="inspect.label.undo").click().run())
        assert len(load_hand_labels(folder, part).given) == left
    assert "No labels, so improvement cannot be measured" in plain(page.info)


def test_a_hundred_classes_show_their_confusions_as_a_table(app):  # noqa: F811
    classes = [*CLASSES, *(f"c{i}" for i in range(60))]
    write_run("r", classes=classes)
    page = section(at(app, "4_Inspect", run="r"), "Classes")
    assert "too many for a matrix" in plain(page.caption)
    cosines = cosines_of(labels_of(80), 0.12, 1)
    truth = truth_from_labels(labels_of(80), CLASSES)
    top = page.dataframe[1].value
    assert top["after"].sum() == (cosines.argmax(1) != truth).sum()
