"""The photo wall: which photos, and what each is predicted as at every point of a run."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax

from tests.helpers.run_folders import image_set
from ueo_core.analysis.photo_wall import (
    ADAPTED,
    FRAMES,
    RECOMMENDED,
    ZERO_SHOT,
    chosen_photos,
    frame_of,
    frames_of_run,
)
from ueo_core.config.settings import AUTO, Settings
from ueo_core.evaluation.thresholds import mixture_threshold
from ueo_core.runs.create import create_run
from ueo_core.runs.snapshot import read_snapshot
from ueo_core.runs.worker import execute

CLASSES = ["cat", "dog", "sun"]


@pytest.fixture
def run(tiny_files, tmp_path):
    """Makes a finished run of three epochs of two steps on ten images."""

    def build(holdout=None, **changes):
        config, weights = tiny_files["vit"]
        base = {"epochs": 3, "batch_size": 5, "lr": 1e-2, "device": "cpu"} | changes
        settings = Settings(backbone=str(config), pretrained=str(weights), **base)
        folder = create_run(
            tmp_path / "run", settings, CLASSES, image_set(10, "pool"), None, holdout
        )
        assert execute(folder)["state"] == "finished"
        return folder

    return build


def test_all_photos_or_evenly_spaced_ones():
    assert chosen_photos(5, 9).tolist() == [0, 1, 2, 3, 4]
    assert chosen_photos(9, 3).tolist() == [0, 4, 8]
    assert len(chosen_photos(100_000)) == 600


def test_a_frame_is_what_the_cosines_say():
    cosines = np.random.default_rng(0).normal(0, 0.1, (40, 3)).astype(np.float32)
    frame = frame_of("t", cosines, 50.0)
    assert (frame.prediction == cosines.argmax(1)).all()
    np.testing.assert_allclose(frame.confidence, softmax(50.0 * cosines, axis=1).max(1), rtol=1e-5)
    assert frame.threshold == mixture_threshold(frame.score)
    assert (frame.unknown == (frame.score < frame.threshold)).all() and frame.seen.all()


def test_frames_from_zero_shot_to_the_end(run):
    folder = run()
    frames = frames_of_run(folder, read_snapshot(folder))
    assert [f.title for f in frames[:-1]] == [ZERO_SHOT, "Step 2", "Step 4", "Step 6"]
    assert frames[-1].title in (ADAPTED, RECOMMENDED)
    zero, final = (folder.tensors(n)["pool_cosines"].numpy() for n in ("zero_shot", "adapted"))
    scale = next(e["logit_scale"] for e in folder.events() if e["kind"] == "start")
    np.testing.assert_array_equal(frames[0].prediction, zero.argmax(1))
    # The pool has fewer images than are looked at after an epoch, so the last has all of them.
    last = frame_of("last", final, scale)
    np.testing.assert_array_equal(frames[-2].prediction, last.prediction)
    np.testing.assert_allclose(frames[-2].score, last.score, atol=1e-7)
    np.testing.assert_allclose(frames[-2].confidence, last.confidence, atol=1e-3)


def test_a_run_that_chooses_its_rate_shows_its_pool_beside_a_test_set(run):
    folder = run(image_set(6, "test"), lr=AUTO)
    titles = [f.title for f in frames_of_run(folder, read_snapshot(folder))]
    assert titles[0] == ZERO_SHOT and any(t.startswith("Step") for t in titles)


def test_without_predictions_of_the_pool_only_the_ends_are_shown(run):
    folder = run(image_set(6, "test"))
    titles = [f.title for f in frames_of_run(folder, read_snapshot(folder))]
    assert len(titles) == 2 and titles[0] == ZERO_SHOT


def test_photos_that_were_not_looked_at_keep_what_was_before(run):
    folder = run()
    events = [e for e in read_snapshot(folder).evaluations if e.get("pool")]
    seen = events[0]["pool"]
    for name in seen:
        seen[name] = seen[name][:4]
    seen["prediction"] = [(p + 1) % 3 for p in seen["prediction"]]
    now = read_snapshot(folder)
    now = type(now)(**{**vars(now), "evaluations": (events[0],), "state": "running"})
    zero, step = frames_of_run(folder, now)
    chosen = np.asarray(seen["images"])
    rest = np.setdiff1d(np.arange(10), chosen)
    assert (step.prediction[chosen] == seen["prediction"]).all() and step.seen.sum() == 4
    assert (step.prediction[rest] == zero.prediction[rest]).all()
    assert (step.unknown[rest] == zero.unknown[rest]).all()
    assert step.threshold == mixture_threshold(np.asarray(seen["score"]))


@pytest.mark.parametrize(
    "damage",
    [
        {"images": [0, 1, 99]},
        {"prediction": [0, -1, 2]},
        {"score": [0.5, 0.5]},
        {"confidence": ["high", 0.5, 0.5]},
        {"images": None},
    ],
)
def test_a_damaged_evaluation_is_left_out(run, damage):
    folder = run(epochs=1)
    whole = {
        "images": [0, 1, 2],
        "prediction": [0, 1, 2],
        "confidence": [0.5] * 3,
        "score": [0.5] * 3,
    }
    now = read_snapshot(folder)
    for pool, count in ((whole, 3), (whole | damage, 2)):
        (evaluation, *_) = now.evaluations
        assert (
            len(frames_of_run(folder, replace(now, evaluations=[evaluation | {"pool": pool}])))
            == count
        )


def test_a_long_run_is_thinned(run):
    folder = run(epochs=20)
    frames = frames_of_run(folder, read_snapshot(folder))
    assert len(frames) == FRAMES + 2 and frames[-2].title == "Step 40"


def test_nothing_before_the_zero_shot_predictions(run):
    folder = run()
    (folder.path / "zero_shot.safetensors").unlink()
    assert frames_of_run(folder, read_snapshot(folder)) == []
