"""The safety check of a model, and what a run stores of its result."""

import json

import numpy as np
import pytest
import torch

from tests.conftest import Arrays
from tests.helpers.small_runs import make, store  # noqa: F401 (fixtures)
from ueo_core.data.transforms import Views
from ueo_core.evaluation import guard_rule
from ueo_core.evaluation.ood_scores import SCORES
from ueo_core.evaluation.thresholds import ashman_d
from ueo_core.inference.adapter_file import ADAPTER_NAME, GUARDED
from ueo_core.models.adapted_clip import AdaptedCLIP, read_adapter
from ueo_core.runs.run_adapter import adapter_of_run
from ueo_core.runs.worker import execute
from ueo_core.training.cached_activations import CachedActivations
from ueo_core.training.guard import safety_check
from ueo_core.training.loop import image_features
from ueo_core.workspace.prediction_history import classified_sets, predictions_of

CLASSES = ["dog", "cat", "house"]


def cosines(model, views):
    return image_features(model, views) @ model.encode_text().detach().T


def moved(tiny, by: float):
    """A model away from zero-shot. → model, views, cosines before, cosines after"""
    model, views = AdaptedCLIP(tiny, CLASSES), Views(Arrays(12), tiny)
    before = cosines(model, views)
    g = torch.Generator().manual_seed(0)
    end = {k: v + by * torch.randn(v.shape, generator=g) for k, v in model.adapter_copy().items()}
    model.load_adapter(end)
    return model, views, before, cosines(model, views)


def test_blends_of_the_original_and_the_adapted_model(tiny):
    model, _, _, _ = moved(tiny, 0.1)
    end = model.adapter_copy()
    for share in (0.0, 0.25, 1.0):
        model.load_between(share, end)
        for name, value in model.adapter().items():
            start = model.original[name]
            assert torch.allclose(value, start + share * (end[name] - start), atol=1e-7)


def test_the_model_is_left_at_its_last_epoch(tiny):
    model, views, before, after = moved(tiny, 0.3)
    end = model.adapter_copy()
    safety_check(model, views, before, after, seed=1, batch=5)
    assert all(torch.equal(v, end[k]) for k, v in model.adapter().items())


def test_an_unchanged_model_has_the_evidence_of_zero_shot(tiny):
    model, views, before, after = moved(tiny, 0.0)
    choice = safety_check(model, views, before, after, seed=1, batch=5)
    assert choice.share == 1 and choice.evidence["1"] == choice.evidence["0"]


def test_the_evidence_is_computed_from_the_crops(tiny):
    model, views, before, after = moved(tiny, 0.3)
    choice = safety_check(model, views, before, after, seed=1, batch=12)
    chosen = np.arange(12)  # all of a small pool
    with torch.no_grad():
        text = model.encode_text()
        again = [
            (
                model.encode_image(views.training(chosen, np.random.default_rng([1, 3, draw, 0])))
                @ text.T
            ).argmax(1)
            for draw in range(guard_rule.DRAWS)
        ]
    expected = guard_rule.consistency(after.argmax(1).numpy(), torch.stack(again).numpy(), 3)
    assert choice.evidence["1"]["consistency"] == pytest.approx(expected, abs=1e-4)
    scores = SCORES["mcm"].compute(after.numpy(), 1.0)
    assert choice.evidence["1"]["parted"] == pytest.approx(ashman_d(scores), abs=1e-4)


@pytest.mark.parametrize("tiny", ["vit"], indirect=True)
def test_at_most_320_images_are_cropped(tiny):
    model, views = AdaptedCLIP(tiny, CLASSES), Views(Arrays(330, size=(32, 32)), tiny)
    before, crops, passed = cosines(model, views), views.crops, []
    views.crops = lambda indices, key: passed.append(list(indices)) or crops(indices, key)
    safety_check(model, views, before, before, seed=1, batch=400)
    assert [len(p) for p in passed] == [320] * 4  # two crops under each of two models
    assert all(p == sorted(set(p)) == passed[0] for p in passed)


@pytest.mark.parametrize("tiny", ["vit"], indirect=True)
def test_in_quick_mode_real_crops_pass_the_tower_once(tiny):
    model, images = AdaptedCLIP(tiny, CLASSES, mode="quick"), Views(Arrays(12), tiny)
    kept = CachedActivations(images, model, "float32")
    before = cosines(model, kept)
    # Features on which most images are between two classes, where a crop can change the prediction.
    g = torch.Generator().manual_seed(7)
    for value in model.select("both"):  # what quick mode trains, and nothing before it
        value.data += 4 * torch.randn(value.shape, generator=g)
    model.context.requires_grad_(False)
    after, passed, real = cosines(model, kept), [], model.tail.head
    model.tail.head = lambda views: passed.append(len(views)) or real(views)
    end = model.adapter_copy()
    choice = safety_check(model, kept, before, after, seed=1, batch=12)
    assert passed == [12] * guard_rule.draws_of("quick")
    whole = AdaptedCLIP(tiny, CLASSES)
    for share, cos in (("0", before), ("1", after)):
        whole.load_between(float(share), end)
        with torch.no_grad():
            crops = whole.encode_image(images.crops(range(12), (1, 3, 0, 0)))
            again = (crops @ whole.encode_text().T).argmax(1)
        expected = guard_rule.consistency(cos.argmax(1).numpy(), again.numpy()[None], 3)
        assert choice.evidence[share]["consistency"] == pytest.approx(expected, abs=1e-4)


def test_a_run_stores_the_choice_and_the_recommended_model(make):  # noqa: F811
    folder = make()
    assert execute(folder)["state"] == "finished"
    result = json.loads((folder.path / "result.json").read_text(encoding="utf-8"))
    share = result["guard"]["share"]
    last, about = read_adapter(folder.path / ADAPTER_NAME)
    assert about["guard"] == result["guard"]
    # The last epoch is what the last checkpoint holds, whatever the safety check recommends.
    kept = folder.checkpoint(folder.checkpoints()[-1])
    assert all(torch.equal(last[k], kept[k]) for k in kept)
    assert (folder.path / GUARDED).is_file() == (share < 1)
    if share < 1:
        start, end = folder.checkpoint(0), kept
        offered, _ = read_adapter(adapter_of_run(folder.path, guarded=True).path)
        for name, value in offered.items():
            between = start[name] + share * (end[name] - start[name])
            assert torch.allclose(value, between, atol=1e-6)
    assert adapter_of_run(folder.path).path.name == ADAPTER_NAME


def test_the_recommended_model_has_its_own_predictions(make, monkeypatch):  # noqa: F811
    chosen = guard_rule.Choice(0.0, "worse", {})
    monkeypatch.setattr("ueo_core.runs.scoring.safety_check", lambda *a, **k: chosen)
    folder = make()
    execute(folder)
    for guarded, name in ((True, "zero_shot"), (False, "adapted")):
        adapter_file = adapter_of_run(folder.path, guarded=guarded)
        (pool,) = [a for a in classified_sets(adapter_file) if a.id == "pool"]
        expected = folder.tensors(name)["pool_cosines"].numpy()
        assert np.array_equal(predictions_of(adapter_file, pool).cosines, expected)
    # Without its predictions, those of the last epoch are not used instead.
    (folder.path / "guarded_answers.safetensors").unlink()
    assert "pool" not in {a.id for a in classified_sets(adapter_of_run(folder.path, guarded=True))}


def test_without_the_guard_nothing_is_checked(make):  # noqa: F811
    folder = make(guard=False)
    execute(folder)
    assert json.loads((folder.path / "result.json").read_text(encoding="utf-8"))["guard"] is None
    assert not (folder.path / GUARDED).exists()
