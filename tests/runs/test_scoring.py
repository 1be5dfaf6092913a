"""The files of a run's result: the last epoch, and the model that the safety check recommends."""

import torch

from tests.helpers.small_runs import make, store  # noqa: F401
from ueo_core.evaluation.guard_rule import Choice
from ueo_core.evaluation.ood_scores import DEFAULT_SCORE, SCORES
from ueo_core.evaluation.thresholds import mixture_threshold
from ueo_core.models.adapted_clip import read_adapter
from ueo_core.runs import scoring
from ueo_core.runs.run_adapter import adapter_of_run
from ueo_core.runs.worker import execute


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
