"""Choosing a rate and a model without labels, on a tiny model."""

import numpy as np
import pytest
import torch

from tests.conftest import Arrays
from ueo_core.config.settings import Settings
from ueo_core.data.transforms import Views
from ueo_core.evaluation.evidence import CRITERIA, criteria
from ueo_core.evaluation.selection import STRIDES, rungs
from ueo_core.methods.ueo import confidence_weights
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.training import auto, ladder
from ueo_core.training.ladder import Trial, chosen_rate, ladder_rates, search
from ueo_core.training.loop import adapt, image_features
from ueo_core.training.pool_evidence import PoolEvidence, drawn
from ueo_core.utils.precision import precision_here

CLASSES = ["dog", "cat", "house"]
SETTINGS = Settings(lr="auto", epochs=8, batch_size=6, seed=2)


class Problem:
    """A tiny model and its pool."""

    def __init__(self, tiny):
        self.model = AdaptedCLIP(tiny, CLASSES)
        self.views = Views(Arrays(12), tiny)
        self.start = image_features(self.model, self.views)
        with torch.no_grad():
            self.zero = self.model.cosines(self.start)
        self.confidence = confidence_weights(self.zero, self.model.logit_scale, "scaled")
        self.pool = PoolEvidence(self.model, self.views, SETTINGS.seed, 12)

    def search(self, rates, **options):
        return search(
            *(self.model, self.views, self.zero, self.confidence, SETTINGS, self.pool, rates),
            start=self.start,
            **options,
        )


@pytest.fixture
def problem(tiny):
    return Problem(tiny)


def test_rates_scale_with_how_far_parameters_move_the_logits(problem):
    rates = ladder_rates(problem.model, problem.views, SETTINGS)
    assert len(rates) == len(STRIDES) and rates == sorted(rates)
    assert rates[-1] / rates[0] == pytest.approx(STRIDES[-1] / STRIDES[0], rel=0.1)
    model = problem.model
    assert all(torch.equal(v, model.original[k]) for k, v in model.adapter().items())
    assert not any(p.requires_grad for p in model.parameters())
    # Logits twice as large move twice as far, and their squared gradient is four times as large.
    model.logit_scale *= 2
    doubled = ladder_rates(model, problem.views, SETTINGS)
    assert doubled[2] == pytest.approx(rates[2] / 4, rel=0.06)


def test_a_trial_is_the_beginning_of_the_run_at_its_rate(problem):
    trials = list(problem.search([1e-3, 1e-2]))
    first, last = rungs(16)
    assert [(t.lr, t.step) for t in trials[:2]] == [(1e-3, first), (1e-2, first)]
    assert {t.step for t in trials[2:]} == {last}
    assert all(set(t.criteria) == set(CRITERIA) for t in trials)
    model = problem.model
    assert all(torch.equal(v, model.original[k]) for k, v in model.adapter().items())
    plain = adapt(
        *(model, problem.views, problem.confidence, SETTINGS.changed(lr=1e-2)), start=problem.start
    )
    for step in plain:
        if step.step == last:
            break
    plain.close()
    found = criteria(problem.pool.measure(problem.zero, problem.confidence))
    assert next(t for t in trials if (t.lr, t.step) == (1e-2, last)).criteria == found


def test_an_interrupted_search_repeats_nothing_and_ends_the_same(problem, monkeypatch):
    whole = list(problem.search([1e-3, 1e-2]))
    for done in range(len(whole) + 1):
        rest = list(problem.search([1e-3, 1e-2], known=whole[:done]))
        assert rest == whole[done:]


def test_progress_counts_every_step_once(problem):
    told = []
    trials = list(problem.search([1e-3, 1e-2], on_step=lambda *now: told.append(now)))
    steps = len({t.lr for t in trials}) * rungs(16)[0]
    assert [done for done, _ in told[:steps]] == list(range(1, steps + 1))
    assert told[-1][0] == told[-1][1]
    assert [done for done, _ in told] == sorted({done for done, _ in told})


def diverge_above(monkeypatch, highest):
    """Steps at larger rates raise, as those of a loss that is not finite do."""
    real = ladder.adapt

    def steps(model, views, confidence, settings, *more):
        if settings.lr > highest:
            raise FloatingPointError("the loss of step 1 is not finite")
        return real(model, views, confidence, settings, *more)

    monkeypatch.setattr(ladder, "adapt", steps)


def test_a_rate_that_diverges_is_no_candidate(problem, monkeypatch):
    diverge_above(monkeypatch, 1.0)
    trials = list(problem.search([1e-3, 10.0]))
    assert [t.criteria is None for t in trials if t.lr == 10.0] == [True]
    assert chosen_rate(trials) == 1e-3
    assert chosen_rate([Trial(10.0, 2, None)]) is None
    assert chosen_rate([]) is None


def test_averages_are_of_all_models_and_of_the_later_half():
    at = {s: {"context": torch.full((2,), float(s))} for s in (4, 2, 6, 8)}
    found = auto.averages(at)
    assert found["average"]["context"].tolist() == [5, 5]
    assert found["late average"]["context"].tolist() == [7, 7]
    assert auto.averages({4: at[4]}) == {}


@pytest.mark.usefixtures("any_pool")
def test_the_best_of_all_candidates_is_recommended_and_the_last_step_is_left(problem, monkeypatch):
    monkeypatch.setattr(ladder, "STRIDES", (5.0, 50.0))
    told = []
    args = (problem.model, problem.views, problem.zero, problem.confidence, SETTINGS, problem.start)
    found = auto.adapt_automatically(*args, lambda *now: told.append(now))
    assert found.settings.rate in {t.lr for t in found.trials} and len(found.steps) == 16
    evidence = found.choice.evidence
    assert set(evidence) == {"zero-shot", "average", "late average"} | {
        str(s) for s in range(2, 17, 2)
    }
    sound = {k: c["evidence"] for k, c in evidence.items() if c["sound"]}
    assert evidence[found.choice.model]["evidence"] == pytest.approx(max(sound.values()), abs=2e-4)
    assert {what for what, *_ in told} == {"choosing", "adapting"}
    # The recommended adapter is the one whose evidence was measured.
    last = problem.model.adapter_copy()
    problem.model.load_adapter(found.recommended)
    again = criteria(problem.pool.measure(problem.zero, problem.confidence))
    assert again["evidence"] == pytest.approx(evidence[found.choice.model]["evidence"], abs=1e-4)
    # The model was at the last step of a plain run at the chosen rate.
    problem.model.reset()
    for _ in adapt(*args[:2], problem.confidence, found.settings, start=problem.start):
        pass
    assert all(torch.equal(v, last[k]) for k, v in problem.model.adapter().items())


def test_every_rate_may_diverge(problem, monkeypatch):
    diverge_above(monkeypatch, 0.0)
    args = (problem.model, problem.views, problem.zero, problem.confidence, SETTINGS, problem.start)
    with pytest.raises(FloatingPointError, match="every rate"):
        auto.adapt_automatically(*args)


@pytest.mark.parametrize("tiny", ["vit"], indirect=True)
def test_the_same_crops_are_measured_for_every_model(tiny):
    views, seen = Views(Arrays(9), tiny), []
    crops = views.crops
    views.crops = lambda indices, key: seen.append((tuple(indices), key)) or crops(indices, key)
    model = AdaptedCLIP(tiny, CLASSES)
    pool = PoolEvidence(model, views, 4, 3, images=6, cropped=4, draws=2)
    zero, confidence = torch.rand(9, 3), torch.rand(9)
    found = pool.measure(zero, confidence)
    assert found.cosines.shape == (6, 3) and found.crops.shape == (2, 4, 3)
    assert pool.encoded == 6 + 2 * 4
    assert np.array_equal(found.zero_shot, zero.argmax(1).numpy()[pool.chosen])
    first = list(seen)
    model.context.data += 1
    pool.measure(zero, confidence)
    assert seen[len(first) :] == first
    assert {i for indices, _ in first for i in indices} == set(pool.chosen[pool.cropped])


def test_fewer_measured_images_are_some_of_the_same():
    many, few = drawn(100, 50, 3), drawn(100, 20, 3)
    assert len(many) == 50 and len(few) == 20 and set(few) < set(many)
    assert (np.diff(many) > 0).all() and set(drawn(10, 50, 3)) == set(range(10))
    assert list(drawn(100, 20, 4)) != list(few)


@pytest.mark.parametrize("known", [False, True])
def test_evidence_is_measured_at_the_precision_of_the_steps(tiny, monkeypatch, known):
    model, views, used = AdaptedCLIP(tiny, CLASSES), Views(Arrays(9), tiny), []
    encode = model.encode_image

    def encoded(images):
        used.append(precision_here(model.device))
        return encode(images)

    monkeypatch.setattr(model, "encode_image", encoded)
    zero, confidence = torch.rand(9, 3), torch.rand(9)
    with torch.no_grad():
        features = torch.rand(9, model.encode_text().shape[1]) if known else None
    found = {}
    for name in ("float32", "bfloat16"):
        used.clear()
        found[name] = PoolEvidence(model, views, 4, 3, precision=name).measure(
            zero, confidence, features
        )
        assert set(used) == {name}
        assert found[name].cosines.dtype == found[name].crops.dtype == np.float32
    exact, short = found["float32"], found["bfloat16"]
    assert not np.array_equal(exact.crops, short.crops)
    np.testing.assert_allclose(short.crops, exact.crops, atol=0.05)
    np.testing.assert_allclose(short.cosines, exact.cosines, atol=0.05)


def test_no_rate_is_tried_that_no_run_may_have(problem, monkeypatch):
    monkeypatch.setattr(ladder, "STRIDES", (5.0, 1e30))
    assert len(ladder_rates(problem.model, problem.views, SETTINGS)) == 1
