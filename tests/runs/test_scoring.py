"""The files of a run's result: the last epoch, and the model that the safety check recommends."""

import pytest
import torch

from tests.helpers.small_runs import CLASSES, forget, make, store  # noqa: F401
from ueo_core.config.settings import Settings
from ueo_core.evaluation.guard_rule import Choice
from ueo_core.evaluation.ood_scores import DEFAULT_SCORE, SCORES
from ueo_core.evaluation.thresholds import mixture_threshold
from ueo_core.models.adapted_clip import read_adapter
from ueo_core.runs import scoring
from ueo_core.runs.create import create_run, reference
from ueo_core.runs.run_adapter import adapter_of_run
from ueo_core.runs.worker import execute
from ueo_core.training import pool_evidence
from ueo_core.training.loop import image_features
from ueo_core.utils.precision import precision_here, tower_autocast


@pytest.fixture
def alone(store, tiny_files, tmp_path):  # noqa: F811
    """A queued run of four epochs without a test set, which chooses its rate."""
    images, sets = store
    forget(store)
    config, weights = map(str, tiny_files["vit"])
    settings = Settings(
        backbone=config,
        pretrained=weights,
        epochs=4,
        batch_size=5,
        lr="auto",
        device="cpu",
        precision="bfloat16",
    )
    folder = create_run(tmp_path / "run", settings, CLASSES, reference(images, sets["pool"]))
    folder.update(threads=1)
    return folder


def test_a_point_of_the_run_encodes_each_image_once_and_at_the_precision_of_the_steps(
    alone, monkeypatch
):
    monkeypatch.setattr(scoring, "PROBE", 7)
    encoded, images_of = [], image_features

    def counted(model, views, batch_size=None, on_batch=None, indices=None):
        encoded.append(
            (precision_here(model.device), len(views) if indices is None else len(indices))
        )
        return images_of(model, views, batch_size, on_batch, indices)

    monkeypatch.setattr(scoring, "image_features", counted)
    monkeypatch.setattr(pool_evidence, "image_features", counted)
    found, evaluation = {}, scoring.Scorer.evaluation

    def measured(scorer, step, last=False, evidence=False):
        encoded.clear()
        event = evaluation(scorer, step, last, evidence)
        found[step] = event, list(encoded)
        with (
            tower_autocast("float32" if last else "bfloat16", scorer.model.device),
            torch.no_grad(),
        ):
            features = images_of(scorer.model, scorer.views("pool"), indices=scorer.probe)
            text = scorer.model.encode_text()
        scores = SCORES[DEFAULT_SCORE].compute(scorer.model.cosines(features, text).numpy(), 1.0)
        assert step == 0 or event["mcm"] == pytest.approx(list(scores), abs=2e-6)
        return event

    monkeypatch.setattr(scoring.Scorer, "evaluation", measured)
    assert execute(alone)["state"] == "finished"
    between, last = [step for step in found if "criteria" in found[step][0]][1], max(found)
    assert 0 < between < last
    assert found[0][1] == []  # zero-shot is known
    assert found[between][1] == [("bfloat16", 12)]  # the probe of 7 is among them
    assert found[last][1] == [("float32", 12)]  # what is reported
    assert len(found[between][0]["mcm"]) == 7


def test_the_recommended_blend_and_the_last_epoch_are_saved_apart(make, monkeypatch):  # noqa: F811
    monkeypatch.setattr(scoring, "safety_check", lambda *a, **k: Choice(0.25, "A blend.", {}))
    folder = make()
    assert execute(folder)["state"] == "finished"
    start, end = folder.checkpoint(0), folder.checkpoint(6)
    last = adapter_of_run(folder.path)
    blend = adapter_of_run(folder.path, guarded=True)
    last_values, blend_values = (read_adapter(file.path)[0] for file in (last, blend))
    assert not last.guarded and blend.guarded
    for name, value in end.items():
        assert torch.equal(last_values[name], value)
        between = torch.lerp(start[name], value, 0.25)
        torch.testing.assert_close(blend_values[name], between, atol=1e-7, rtol=1e-5)
    assert any(not torch.equal(blend_values[k], end[k]) for k in end)
    # Each file has the threshold that fits its own scores of the pool.
    for found, name in ((last, "adapted"), (blend, scoring.GUARDED_PREDICTIONS)):
        cosines = folder.tensors(name)["pool_cosines"].numpy()
        expected = mixture_threshold(SCORES[DEFAULT_SCORE].compute(cosines, 1.0))
        assert found.threshold == expected
