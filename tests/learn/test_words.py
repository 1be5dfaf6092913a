"""The words beside the story, each tied to a computation: symbols, settings, methods, unknown images.

Every entry names its test by its key, and the test quotes what it holds; so a new entry without
one fails, and so does a reworded one whose test no longer speaks of it.
"""

import math

import numpy as np
import pytest
import torch

from tests.learn.test_scenes import feature
from tests.learn.test_terms import ENTMIN, INFOMAX, LOG3, UEO
from ueo_core.config.methods import METHODS
from ueo_core.learn import sentence_numbers as n
from ueo_core.learn.anatomy import dissect
from ueo_core.learn.formula import EXERCISES, PAPER, SYMBOLS
from ueo_core.learn.knobs import IMAGES, KINDS, LOGIT_SCALE, PRESETS, Knobs
from ueo_core.learn.pictures import trap
from ueo_core.learn.scenes import ARROWS, DOTS
from ueo_core.learn.simplex import batch, cosines, simulate
from ueo_core.methods.ueo import entmin, entropy, infomax, terms


def test_every_word_has_its_computation():
    wanted = {f"test_symbol_{key.lower()}" for key in SYMBOLS}
    wanted |= {f"test_preset_{key}" for key in PRESETS}
    wanted |= {f"test_method_{key}" for key in ("entmin", "infomax", "ueo")}
    wanted |= {f"test_kind_{key}" for key in KINDS}
    assert not wanted - globals().keys()


def says(key: str, *parts: str) -> None:
    text = f"{SYMBOLS[key].means} {SYMBOLS[key].picture}"
    assert all(part in text for part in parts), text


# The symbols of the formula


def test_symbol_p(trajectories):
    says("p", "sum to one", "The nearer to a corner, the larger that class's probability.")
    points = trajectories("strangers")[0].points[UEO, 0]
    np.testing.assert_allclose(points.sum(1), 1, atol=1e-5)
    corners = np.eye(3)  # barycentric: the distance to a corner falls as its share grows
    a = np.array([[0.2, 0.5, 0.3], [0.4, 0.35, 0.25], [0.9, 0.06, 0.04]])
    place = a @ np.array([[0, 0], [1, 0], [0.5, math.sqrt(3) / 2]])
    corner = corners[0] @ np.array([[0, 0], [1, 0], [0.5, math.sqrt(3) / 2]])
    assert (np.diff(np.linalg.norm(place - corner, axis=1)) < 0).all()


def test_symbol_f(stage):
    says("f", "of length one", "together with the class vectors, where the dot lies")
    with torch.no_grad():
        f, text = feature(stage, 0), stage.model.encode_text()
    assert f.norm().item() == pytest.approx(1, abs=1e-5)
    p = (stage.scale * f @ text.T).softmax(1)[0]
    np.testing.assert_allclose(
        dissect(stage.look([0])[0], stage.scale, 1).probabilities, p, atol=1e-4
    )


def test_symbol_t(stage):
    says("t", "of length one", "One for each corner", "Moving them moves every dot at once")
    with torch.no_grad():
        text = stage.model.encode_text()
    assert len(text) == len(stage.problem.classes)
    np.testing.assert_allclose(text.norm(dim=1), 1, atol=1e-5)
    x, _ = batch(Knobs())
    before = cosines(x, torch.zeros(1, 5), torch.zeros(1, 5))[0]
    after = cosines(x, torch.zeros(1, 5), torch.tensor([[0.3, 0, 0, 0, 0]]))[0]
    assert (before - after).abs().amax(1).min() > 1e-3


def test_symbol_s(stage):
    says("s", "100 in OpenAI's CLIP, 8 in this triangle", "stretches the cloud of dots")
    assert LOGIT_SCALE == 8
    assert stage.model.backbone.model.logit_scale.exp().item() == pytest.approx(stage.scale)
    cos = torch.tensor(simulate(Knobs()).cosines[UEO, 0])
    sure = [(s * cos).softmax(1).amax(1) for s in (2, 8, 32)]
    assert (sure[0] < sure[1]).all() and (sure[1] < sure[2]).all()


def test_symbol_h():
    says("H", "0 when one class has probability 1, log C when all are equal", "none in the corners")
    for c in (3, 10):
        assert entropy(torch.zeros(1, c)).item() == pytest.approx(math.log(c))
        assert entropy(torch.eye(c)[:1] * 80).item() == pytest.approx(0, abs=1e-6)


def test_symbol_w(trajectories):
    says(
        "w",
        "fixed before training",
        "over the sum of all",
        "unless unknown ones have the same confidence",
    )
    z, w = torch.randn(6, 3), torch.rand(6) + 0.2
    expected = ((w / w.sum()) * entropy(z)).sum()
    assert terms(z, w).entropy.item() == pytest.approx(expected.item(), abs=1e-5)
    for run in trajectories("strangers"):
        assert run.weights[UEO][run.known].mean() > run.weights[UEO][~run.known].mean()


def test_symbol_q(trajectories):
    says("q", "The inverse 1/w over the sum of all", "The size of a dot, inverted.")
    run = trajectories("strangers")[0]
    w = run.weights[UEO].astype(float)
    q = (1 / w) / (1 / w).sum()
    np.testing.assert_allclose(run.mean[UEO, 7], q @ run.points[UEO, 7], atol=1e-5)
    assert q.argmax() == w.argmin() and q.argmin() == w.argmax()
    assert DOTS["q"] == "weight 1/w"  # what the sixth scene asks for


def test_symbol_pbar(trajectories):
    says("pbar", "averaged with the weights q", "Term two keeps it in the middle")
    for run in trajectories("strangers"):
        mean = run.mean[UEO, -1].astype(float)
        assert -(mean * np.log(mean)).sum() == pytest.approx(run.terms[UEO, -1, 1], abs=1e-3)
        assert run.terms[UEO, -1, 1] > 0.9 * LOG3 > 10 * run.terms[ENTMIN, -1, 1]


def test_symbol_trade():
    says("trade", "The paper uses 1", "The length of term two's arrows. At 0")
    assert Knobs().trade == 1
    pulls = [simulate(Knobs(trade=trade)).pulls[UEO, 0] for trade in (0.0, 1.0, 2.0)]
    np.testing.assert_array_equal(pulls[0][1], 0)
    np.testing.assert_allclose(pulls[2][1], 2 * pulls[1][1], atol=1e-5)
    for pull in pulls:  # term one's arrows are the same
        np.testing.assert_allclose(pull[0], pulls[0][0], atol=1e-6)


# What the two terms pull at, for the scenes about them


def test_term_one_lowers_every_image_s_entropy(trajectories):
    for run in trajectories("strangers"):
        p = run.points[ENTMIN].astype(float)
        h = -(p * np.log(p)).sum(-1)
        assert (h[-1] < h[0]).all()
        along = -(run.pulls[ENTMIN, 0, 0] * (np.log(p[0]) + 1)).sum(-1)  # dH of a dot by its arrow
        assert (along <= 1e-5).all()


def test_term_two_raises_the_entropy_of_the_mean(trajectories):
    for run in trajectories("strangers"):
        for m in (INFOMAX, UEO):
            q = 1 / run.weights[m]
            mean = run.mean[m, 0].astype(float)
            pulled = ((q / q.sum())[:, None] * run.pulls[m, 0, 1]).sum(0)
            assert -(pulled * (np.log(mean) + 1)).sum() >= -1e-6
    assert {"both", "each", "one", "two", "move", "none"} == ARROWS.keys()


# The named settings


def looks(key: str, part: str) -> None:
    assert part in PRESETS[key].look


def test_preset_strangers(trajectories):
    looks("strangers", "Four points in ten belong to no class")
    assert (~trajectories("strangers")[0].known).sum() == 0.4 * IMAGES


def test_preset_closed(trajectories):
    looks("closed", "Every image belongs to a class, so the weights have little effect.")
    for run in trajectories("closed"):
        assert run.known.all()
    gaps = [abs(run.acc[UEO, -1] - run.acc[INFOMAX, -1]) for run in trajectories("closed")]
    assert gaps[0] < 8 and np.median(gaps) < 4


def test_preset_lookalike(trajectories):
    looks("lookalike", "Unknown images are as similar to the classes as known ones.")
    for run in trajectories("lookalike"):
        sure = run.points[UEO, 0].max(1)
        assert abs(sure[run.known].mean() - sure[~run.known].mean()) < 0.12


def test_preset_absent(trajectories):
    looks("absent", "No image is of class C.")
    assert not any((run.truth == 2).any() for run in trajectories("absent"))


def test_preset_released(trajectories):
    looks("released", "unscaled cosines, as the released script does. Compare UEO with InfoMax.")
    for run in trajectories("released"):
        cos = run.cosines[UEO, 0].astype(float)
        p = np.exp(cos) / np.exp(cos).sum(1, keepdims=True)
        np.testing.assert_allclose(run.weights[UEO], p.max(1), atol=1e-5)


def test_preset_lambda(trajectories):
    looks("lambda", "Term two is switched off.")
    for run in trajectories("lambda"):
        assert not run.pulls[UEO, :, 1].any()


# Methods, and the kinds of unknown images


def test_method_entmin(trajectories):
    assert "Only sharpens" in METHODS["entmin"].about and "can collapse" in METHODS["entmin"].about
    z = torch.randn(5, 3)
    assert entmin(z).item() == pytest.approx(entropy(z).mean().item(), abs=1e-6)
    few = [len(set(run.points[ENTMIN, -1].argmax(1))) < 3 for run in trajectories("closed")]
    assert any(few) and not all(few)  # can, not must


def test_method_infomax():
    assert "equal weights for all images" in METHODS["infomax"].about
    z = torch.randn(5, 3)
    mean = z.softmax(1).mean(0)
    expected = entropy(z).mean() + (mean * mean.log()).sum()
    assert infomax(z).item() == pytest.approx(expected.item(), abs=1e-5)


def test_method_ueo(trajectories):
    assert METHODS["ueo"].about.startswith("Sharpens confident predictions and spreads the mean")
    run = trajectories("strangers")[0]
    # The pull of term one on an image over the one with equal weights is w~; of term two q.
    for term, weight in ((0, run.weights[UEO]), (1, 1 / run.weights[UEO])):
        one, equal = run.pulls[UEO, 0, term], run.pulls[INFOMAX, 0, term]
        if term == 0:
            share = np.linalg.norm(one, axis=1) / np.linalg.norm(equal, axis=1)
            np.testing.assert_allclose(share, IMAGES * weight / weight.sum(), rtol=2e-3)


def start(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Zero-shot predictions of the unknown images of a kind, and of the known images."""
    found = [simulate(Knobs(kind=kind, seed=s)) for s in range(6)]
    pick = lambda known: np.concatenate([r.points[UEO, 0][r.known == known] for r in found])  # noqa: E731
    return pick(False), pick(True)


def test_kind_two():
    assert KINDS["two"] == "two unknown objects, each similar to a class"
    strange, _ = start("two")
    even, odd = strange[::2].mean(0), strange[1::2].mean(0)
    assert (even.argmax(), odd.argmax()) == (0, 1)


def test_kind_one():
    assert KINDS["one"] == "one unknown object, similar to one class"
    strange, _ = start("one")
    assert strange[::2].mean(0).argmax() == strange[1::2].mean(0).argmax() == 0


def test_kind_nothing():
    assert KINDS["nothing"] == "similar to no class"
    strange, known = start("nothing")
    assert np.abs(strange.mean(0) - 1 / 3).max() < 0.03
    assert strange.max(1).mean() < known.max(1).mean() - 0.1


def test_kind_lookalike():
    assert KINDS["lookalike"] == "as similar as known ones"
    strange, known = start("lookalike")
    assert abs(strange.max(1).mean() - known.max(1).mean()) < 0.12


# The rest of what is shown


def test_the_more_alike_weights_are_the_more_ueo_is_infomax(stage):
    assert "the more alike weights are, the more UEO is InfoMax" in trap(stage)
    far = []
    for t in (1.0, 2.0, 4.0, 8.0):
        found = [simulate(Knobs(temperature=t, seed=s)) for s in range(6)]
        far.append(np.mean([np.abs(r.pulls[UEO, 0] - r.pulls[INFOMAX, 0]).mean() for r in found]))
    assert np.all(np.diff(far) < 0)


def test_the_paper_is_cited_with_its_number():
    assert "2308.12919" in PAPER and "ICML 2024" in PAPER and "Liang" in PAPER


def test_exercises_give_the_numbers_they_name(trajectories):
    by_tie = {e.tie: e.answer for e in EXERCISES}
    assert "log 3 ≈ 1.10 nats" in by_tie["entropy_ends"]
    assert "accuracy is one third" in by_tie["entmin_lowest_term_one"]
    assert "so it collapses as well" in by_tie["lambda_zero_collapses"]
    assert "At most about a quarter" in by_tie["released_weights_ratio"]
    assert "To 0, without any gradient" in by_tie["one_image_cancels"]
    assert "unknown images are pulled there" in by_tie["empty_class_fills"]
    assert "can still collapse" in by_tie["closed_set"]
    assert "33 %" in n.of_triangle(trajectories("strangers")[0].knobs)["chance"]


def test_unscaled_weights_can_defeat_ueo(trajectories):
    """The third defeat of the last scene: with nearly equal weights unknown images end as confident as under InfoMax."""
    ends = np.array(
        [
            r.points[[UEO, INFOMAX], -1][:, ~r.known].max(-1).mean(-1)
            for r in trajectories("released")
        ]
    )
    assert ends[0, 0] >= 0.8 and (ends[:, 0] >= 0.8).mean() > 0.5
    assert np.median(np.abs(ends[:, 0] - ends[:, 1])) < 0.1
