"""`inspect` on the command line: the numbers of the page and of `evaluate`, bad input a sentence."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.helpers.run_folders import CLASSES, SCALE, cosines_of, labels_of, write_run
from ueo_core.analysis.hand_estimates import estimate_by_hand, judge_by_hand
from ueo_core.analysis.hand_labels import load_hand_labels, save_hand_labels
from ueo_core.analysis.run_result import read_features, read_inspection
from ueo_core.analysis.threshold_effect import threshold_effect
from ueo_core.analysis.verdict import judge
from ueo_core.cli.main import main
from ueo_core.config.settings import Settings
from ueo_core.data.labels import folder_labels
from ueo_core.data.store import Store
from ueo_core.evaluation.metrics import evaluate, truth_from_labels
from ueo_core.evaluation.ood_scores import SCORES, neg_label
from ueo_core.evaluation.thresholds import mixture_threshold
from ueo_core.inference.predict import load_model
from ueo_core.runs.create import create_run, reference
from ueo_core.runs.run_adapter import adapter_of_run
from ueo_core.runs.worker import execute


@pytest.fixture
def run(capsys):
    """Runs a command in this process. → exit code, JSON of the last line or None, stderr"""

    def call(*argv):
        code = main([*map(str, argv), "--json"])
        out, err = capsys.readouterr()
        return code, json.loads(out.splitlines()[-1]) if code == 0 else None, err

    return call


def test_it_says_what_the_metrics_and_the_page_say(run):
    folder = write_run("r")
    code, found, _ = run("inspect", folder.path, "--score", "energy", "--threshold", 5.0)
    assert code == 0 and (found["set"], found["images"], found["n_ood"]) == ("pool", 80, 20)
    truth = truth_from_labels(labels_of(80), CLASSES)
    for side, (skill, seed) in {"before": (0.03, 0), "after": (0.12, 1)}.items():
        cosines = cosines_of(labels_of(80), skill, seed)
        metrics = evaluate(cosines, truth, CLASSES, SCALE, "energy")
        assert found["metrics"][side] == {k: v for k, v in metrics.items() if k != "per_class"}
        score = SCORES["energy"].compute(cosines, SCALE)
        effect = threshold_effect(score, 5.0, cosines.argmax(1), truth)
        assert found["thresholds"][side] == vars(effect)
    opened = read_inspection(folder)
    verdict = judge(opened.parts["pool"], "energy", opened.classes)
    assert found["verdict"]["headline"] == verdict.headline
    assert found["intervals"]["auc"]["after"] == vars(verdict.metrics["auc"].after)
    assert found["temperature"] == "logits × 20" and not found["thresholds"]["guess"]


def test_its_numbers_are_those_of_evaluate_and_a_checkpoint_is_scored_on_the_way(
    run, tiny_files, tmp_path
):
    g, photos = np.random.default_rng(0), tmp_path / "photos"
    for name in ("dog", "cat", "zebra"):
        (photos / name).mkdir(parents=True)
        for i in range(4):
            pixels = g.integers(0, 256, (48, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(photos / name / f"{i}.png")
    config, weights = tiny_files["vit"]
    store = Store(tmp_path / "store", 52)
    images = store.open(store.ingest(photos).set_id)
    folder = create_run(
        tmp_path / "run",
        Settings(
            backbone=str(config),
            pretrained=str(weights),
            epochs=2,
            batch_size=6,
            lr=1e-2,
            device="cpu",
        ),
        ["dog", "cat"],
        reference(store, images),
        folder_labels(images),
    )
    assert execute(folder)["state"] == "finished"
    _, scored, _ = run("evaluate", folder.path, photos, "--store", tmp_path / "store")
    _, found, _ = run("inspect", folder.path)
    for side, name in (("before", "zero_shot"), ("after", "adapted")):
        for key in ("acc", "auc", "hm", "fpr95"):
            assert found["metrics"][side][key] == pytest.approx(scored[name][key], abs=1e-3)
    _, halfway, _ = run("inspect", folder.path, "--step", 2)
    assert (halfway["step"], halfway["final"]) == (2, 4)
    assert (folder.path / "scored" / "000002.safetensors").exists()
    _, by_words, _ = run("inspect", folder.path, "--negatives", "screenshot, map")
    assert (by_words["score"], by_words["negatives"]) == ("neglabel", ["screenshot", "map"])
    opened = read_inspection(folder)
    for side, step in (("before", 0), ("after", 4)):
        model = load_model(adapter_of_run(folder.path), "cpu")
        if side == "before":
            model.reset()
        other = (
            read_features(folder, "pool", step)[:]
            @ model.encode_words(["screenshot", "map"]).numpy().T
        )
        part = opened.parts["pool"]
        score = neg_label(part.cosines[side], other, opened.logit_scale)
        metrics = evaluate(part.cosines[side], part.truth, ["dog", "cat"], 1.0, score)
        assert by_words["metrics"][side]["auc"] == pytest.approx(metrics["auc"])
        guess = by_words["thresholds"][side]["threshold"]
        assert guess == pytest.approx(mixture_threshold(score), abs=1e-4)
    code, _, said = run("inspect", folder.path, "--negatives", "map", "--score", "energy")
    assert code == 2 and "leave one of the two out" in said
    code, _, said = run("inspect", folder.path, "--step", 3)
    assert code == 2
    assert said == "Step 3: the run has no checkpoint there; choose one of 0, 2, 4.\n"


def test_labels_given_by_hand_give_the_estimates_of_the_page(run):
    folder = write_run("r", labeled=False)
    _, found, _ = run("inspect", folder.path)
    assert found["metrics"] is None and found["estimates"] is None
    assert found["thresholds"]["guess"]
    part = read_inspection(folder).parts["pool"]
    labels, truth = load_hand_labels(folder, part), truth_from_labels(labels_of(80), CLASSES)
    for i in labels.order[:20]:
        labels.give(i, int(truth[i]))
    save_hand_labels(folder, labels)
    _, found, _ = run("inspect", folder.path)
    expected = estimate_by_hand(part, labels, "mcm")
    assert found["verdict"]["headline"] == judge_by_hand(expected).headline
    assert found["estimates"]["n"] == 20
    assert found["estimates"]["unknown"] == vars(expected.unknown)


def test_bad_input_is_one_sentence(run, tmp_path):
    assert run("inspect", tmp_path)[2].count("\n") == 1
    folder = write_run("r", state="paused")
    code, _, said = run("inspect", folder.path)
    assert code == 2 and "it has no result yet (state: paused)" in said
    code, _, said = run("inspect", write_run("f").path, "--set", "holdout")
    assert code == 2 and said == "Set “holdout”: this run has none; choose pool.\n"
