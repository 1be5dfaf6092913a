"""Runs side by side: groups, means, differences and what cannot be compared."""

import dataclasses

import numpy as np
import pytest

from tests.helpers.run_folders import CLASSES, SCALE, cosines_of, labels_of, write_run
from ueo_core.analysis.compare import (
    Model,
    cautions,
    differences,
    groups,
    labels,
    mean,
    models,
    names,
    one_per_seed,
    open_compared_run,
    parts_of,
    table,
)
from ueo_core.evaluation.metrics import evaluate, truth_from_labels
from ueo_core.runs.folder import RunFolder
from ueo_core.utils.errors import UserError
from ueo_core.utils.files import write_json
from ueo_core.utils.paths import runs_root


def compared_run(name: str, like: RunFolder | None = None, settings: dict | None = None, **facts):
    """A run on disk, opened; like: on the images of that run; settings: replace those of the preset."""
    folder = write_run(name, **facts)
    config = folder.config
    config["settings"] |= settings or {}
    if like is not None:
        config["pool"] = like.config["pool"]
    write_json(folder.path / "config.json", config)
    return open_compared_run(RunFolder(folder.path), "pool", "mcm")


def run_of(opened) -> RunFolder:
    return RunFolder(runs_root() / opened.run)


def zero_shot(opened) -> Model:
    """The zero-shot model of a run."""
    return Model("Zero-shot", opened, "before")


@pytest.fixture
def three():
    """UEO at two seeds and InfoMax at one, all on the same images."""
    a = compared_run("a", skill=(0.03, 0.12))
    b = compared_run("b", run_of(a), {"seed": 1}, skill=(0.03, 0.08))
    c = compared_run("c", run_of(a), {"method": "infomax"}, skill=(0.03, 0.05))
    return [a, b, c]


def metrics_of(skill: float, seed: int) -> dict:
    truth = truth_from_labels(labels_of(80), CLASSES)
    return evaluate(cosines_of(labels_of(80), skill, seed), truth, CLASSES, SCALE)


def test_an_opened_run_has_the_metrics_of_its_cosines(three):
    before, after = (three[0].predictions[side] for side in ("before", "after"))
    assert before.metrics == metrics_of(0.03, 0) and after.metrics == metrics_of(0.12, 1)
    cosines = cosines_of(labels_of(80), 0.12, 1)
    np.testing.assert_array_equal(after.prediction, cosines.argmax(1))
    changed = cosines.argmax(1) != cosines_of(labels_of(80), 0.03, 0).argmax(1)
    assert three[0].agreement == pytest.approx(100 - 100 * changed.mean())
    assert three[0].seconds == 4.0


def test_runs_that_differ_only_in_the_seed_are_one_row_with_mean_and_deviation(three):
    zero, ueo, infomax = table(three)
    assert (zero.title, zero.seeds, zero.figures["seconds"].value) == ("Zero-shot", (), 0.0)
    assert zero.figures["hm"].value == metrics_of(0.03, 0)["hm"]
    assert (ueo.title, ueo.runs, ueo.seeds) == ("UEO", ("a", "b"), (0, 1))
    values = [metrics_of(0.12, 1)["acc"], metrics_of(0.08, 1)["acc"]]
    assert ueo.figures["acc"].value == pytest.approx(sum(values) / 2)
    # The sample standard deviation of two values is their distance divided by √2.
    assert ueo.figures["acc"].deviation == pytest.approx(abs(values[0] - values[1]) / 2**0.5)
    assert (infomax.title, infomax.figures["acc"].deviation) == ("InfoMax", None)
    assert infomax.figures["auc"].value == metrics_of(0.05, 1)["auc"]


def test_the_same_seed_twice_counts_once_with_a_caution(three):
    again = compared_run("again", run_of(three[0]), skill=(0.03, 0.02), title="once more")
    together = [*three, again]
    assert [[c.run for c in g] for g in groups(together)] == [["a", "b", "again"], ["c"]]
    assert [c.run for c in one_per_seed([three[0], again, three[1]])] == ["a", "b"]
    assert table(together)[1].runs == ("a", "b")
    assert cautions(together) == [
        "“once more”: the same settings and seed as another selected run; counted once."
    ]


def test_device_and_chunk_keep_the_group_but_the_rate_and_an_early_stop_change_it(three):
    same = compared_run("same", run_of(three[0]), {"seed": 5, "device": "cpu", "chunk": 8})
    rate = compared_run("rate", run_of(three[0]), {"lr": 0.05})
    early = dataclasses.replace(three[0], run="early", step=2)
    found = [[c.run for c in g] for g in groups([three[0], same, rate, early])]
    assert found == [["a", "same"], ["rate"], ["early"]]
    # A value of more than half of the runs is left out; of two runs both are named.
    called = names([three[0], rate, early])
    assert called == {"a": "UEO", "rate": "UEO · lr 0.05", "early": "UEO · stopped at step 2"}
    assert names([three[0], rate]) == {
        "a": f"UEO · lr {three[0].settings.lr}",
        "rate": "UEO · lr 0.05",
    }


def test_every_run_has_a_unique_label_and_every_zero_shot_model_is_a_model(three):
    assert labels(three) == {"a": "UEO · seed 0", "b": "UEO · seed 1", "c": "InfoMax · seed 0"}
    twice = compared_run("twice", run_of(three[0]))
    assert labels([three[0], twice]) == {"a": "UEO · a", "twice": "UEO · twice"}
    other = compared_run("vit", run_of(three[0]), {"backbone": "drawings-vit"})
    found = models([*three, other])
    assert [(m.name, m.side) for m in found.values()][:2] == [
        ("Zero-shot · drawings-resnet", "before"),
        ("Zero-shot · drawings-vit", "before"),
    ]
    assert found["b"].predictions is three[1].predictions["after"]
    assert [r.title for r in table(three[:2] + [other])][:2] == [
        "Zero-shot · drawings-resnet",
        "Zero-shot · drawings-vit",
    ]


def test_only_what_differs_is_listed(three):
    found = {d.name: d.values for d in differences(three)}
    assert found == {
        "method": {"a": "UEO", "b": "UEO", "c": "InfoMax"},
        "seed": {"a": "0", "b": "1", "c": "0"},
    }
    assert differences(three[:1]) == [] and cautions(three) == []


def test_a_run_that_was_trained_longer_is_named_so(three):
    on = compared_run("on", run_of(three[0]), {"extensions": [[4, 6]]})
    assert names([*three[:2], on])["on"] == "UEO · 6 more epochs"
    assert len(groups([three[0], on])) == 2


def test_other_images_and_other_classes_are_cautions(three):
    other = compared_run("other-images", n=40, title="elsewhere")
    said = cautions([three[0], other])
    assert len(said) == 1 and said[0].startswith(
        "These runs are scored on 2 different sets of images"
    )
    assert "“elsewhere”" in said[0]
    assert [r.title for r in table([three[0], other])] == [
        "Zero-shot · a",
        "Zero-shot · other-images",
        "UEO · a",
        "UEO · other-images",
    ]
    fewer = compared_run("fewer", run_of(three[0]), classes=["cat", "dog", "tree"], title="trees")
    said = cautions([three[0], fewer])
    assert "only here: sun" in said[0] and "only here: tree" in said[0]
    assert three[0].benchmark != fewer.benchmark


def test_the_same_images_with_other_labels_are_not_tested_against_each_other(three):
    relabeled = compared_run("relabeled", run_of(three[0]))
    write_json(run_of(relabeled).path / "labels.json", {"pool": ["cat"] * 80, "holdout": None})
    again = open_compared_run(run_of(relabeled), "pool", "mcm")
    assert again.images == three[0].images and again.benchmark != three[0].benchmark
    assert "have different labels" in cautions([three[0], again])[0]


def test_without_labels_there_is_only_agreement():
    found = compared_run("u", labeled=False)
    zero, ueo = table([found])
    assert ueo.figures["acc"] is None and zero.figures["hm"] is None
    assert ueo.figures["agreement"].value == found.agreement


def test_the_sets_of_runs_and_a_run_without_a_test_set(three):
    assert parts_of([run_of(three[0])]) == ["pool"] and parts_of([]) == ["pool"]
    with pytest.raises(UserError, match="has no test set; compare on the pool"):
        open_compared_run(run_of(three[0]), "holdout", "mcm")


def test_mean_is_none_if_a_value_is_missing():
    assert mean([1.0, None]) is None and mean([]) is None
    assert str(mean([1.0, 3.0])) == "2.0 ± 1.4" and str(mean([1.0])) == "1.0"
