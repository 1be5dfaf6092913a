"""The texts beside the story, each checked by a computation: symbols, presets, methods, kinds.

The test of an entry is named after its key and quotes its text. So a new entry without a test
fails, and so does an entry whose text has changed without its test.
"""

import math

import numpy as np
import pytest
import torch

from tests.learn.test_scenes import feature
from tests.learn.test_terms import ENTMIN, INFOMAX, LOG3, UEO
from ueo_core.config.methods import METHODS
from ueo_core.learn import sentence_numbers as n
from ueo_core.learn.formula import EXERCISES, PAPER, SYMBOLS
from ueo_core.learn.one_image import image_scores
from ueo_core.learn.picture_data import weights_note
from ueo_core.learn.scenes import ARROWS, DOTS
from ueo_core.learn.simplex import batch, cosines, simulate
from ueo_core.learn.triangle_settings import IMAGES, KINDS, LOGIT_SCALE, PRESETS, TriangleSettings
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
    says("p", "sum to one", "The closer to a corner, the larger the probability of that class.")
    points = trajectories("strangers")[0].points[UEO, 0]
    np.testing.assert_allclose(points.sum(1), 1, atol=1e-5)
    corners = np.eye(3)  # barycentric: the distance to a corner falls as its share grows
    a = np.array([[0.2, 0.5, 0.3], [0.4, 0.35, 0.25], [0.9, 0.06, 0.04]])
    place = a @ np.array([[0, 0], [1, 0], [0.5, math.sqrt(3) / 2]])
    corner = corners[0] @ np.array([[0, 0], [1, 0], [0.5, math.sqrt(3) / 2]])
    assert (np.diff(np.linalg.norm(place - corner, axis=1)) < 0).all()


def test_symbol_f(demo):
    says(
        "f",
        "of length one",
        "Together with the class vectors it determines the position of the dot.",
    )
    with torch.no_grad():
        f, text = feature(demo, 0), demo.model.encode_text()
    assert f.norm().item() == pytest.approx(1, abs=1e-5)
    p = (demo.scale * f @ text.T).softmax(1)[0]
    np.testing.assert_allclose(
        image_scores(demo.cosines_at([0])[0], demo.scale, 1).probabilities, p, atol=1e-4
    )


def test_symbol_t(demo):
    says(
        "t", "of length one", "One for each corner", "A change of the class vectors moves all dots."
    )
    with torch.no_grad():
        text = demo.model.encode_text()
    assert len(text) == len(demo.problem.classes)
    np.testing.assert_allclose(text.norm(dim=1), 1, atol=1e-5)
    x, _ = batch(TriangleSettings())
    before = cosines(x, torch.zeros(1, 5), torch.zeros(1, 5))[0]
    after = cosines(x, torch.zeros(1, 5), torch.tensor([[0.3, 0, 0, 0, 0]]))[0]
    assert (before - after).abs().amax(1).min() > 1e-3


def test_symbol_s(demo):
    says(
        "s",
        "100 in OpenAI's CLIP, 8 in this triangle",
        "The larger it is, the closer the dots are to the corners.",
    )
    assert LOGIT_SCALE == 8
    assert demo.model.backbone.model.logit_scale.exp().item() == pytest.approx(demo.scale)
    cos = torch.tensor(simulate(TriangleSettings()).cosines[UEO, 0])
    sure = [(s * cos).softmax(1).amax(1) for s in (2, 8, 32)]
    assert (sure[0] < sure[1]).all() and (sure[1] < sure[2]).all()


def test_symbol_h():
    says(
        "H",
        "0 if one class has probability one, log C if all classes are equally likely",
        "none in the corners",
    )
    for c in (3, 10):
        assert entropy(torch.zeros(1, c)).item() == pytest.approx(math.log(c))
        assert entropy(torch.eye(c)[:1] * 80).item() == pytest.approx(0, abs=1e-6)


def test_symbol_w(trajectories):
    says(
        "w",
        "fixed before training",
        "divided by the sum over all images",
        "unless the confidence on unknown images is as high",
    )
    z, w = torch.randn(6, 3), torch.rand(6) + 0.2
    expected = ((w / w.sum()) * entropy(z)).sum()
    assert terms(z, w).entropy.item() == pytest.approx(expected.item(), abs=1e-5)
    for run in trajectories("strangers"):
        assert run.weights[UEO][run.known].mean() > run.weights[UEO][~run.known].mean()


def test_symbol_q(trajectories):
    says(
        "q",
        "The inverse 1/w, divided by the sum over all images",
        "the lower the confidence, the larger",
    )
    run = trajectories("strangers")[0]
    w = run.weights[UEO].astype(float)
    q = (1 / w) / (1 / w).sum()
    np.testing.assert_allclose(run.mean[UEO, 7], q @ run.points[UEO, 7], atol=1e-5)
    assert q.argmax() == w.argmin() and q.argmin() == w.argmax()
    assert DOTS["q"] == "weight 1/w"  # the task of the sixth scene names this choice


def test_symbol_pbar(trajectories):
    says(
        "pbar",
        "The mean of the predictions, with the weights q.",
        "Term two keeps it in the middle",
    )
    for run in trajectories("strangers"):
        mean = run.mean[UEO, -1].astype(float)
        assert -(mean * np.log(mean)).sum() == pytest.approx(run.terms[UEO, -1, 1], abs=1e-3)
        assert run.terms[UEO, -1, 1] > 0.9 * LOG3 > 10 * run.terms[ENTMIN, -1, 1]


def test_symbol_trade():
    says("trade", "It is 1 by default.", "The length of term two's arrows. At 0")
    assert TriangleSettings().trade == 1
    arrows = [simulate(TriangleSettings(trade=trade)).arrows[UEO, 0] for trade in (0.0, 1.0, 2.0)]
    np.testing.assert_array_equal(arrows[0][1], 0)
    np.testing.assert_allclose(arrows[2][1], 2 * arrows[1][1], atol=1e-5)
    for pull in arrows:  # term one's arrows are the same
        np.testing.assert_allclose(pull[0], arrows[0][0], atol=1e-6)


# The effect of the two terms, for the scenes about them


def test_term_one_lowers_every_image_s_entropy(trajectories):
    for run in trajectories("strangers"):
        p = run.points[ENTMIN].astype(float)
        h = -(p * np.log(p)).sum(-1)
        assert (h[-1] < h[0]).all()
        along = -(run.arrows[ENTMIN, 0, 0] * (np.log(p[0]) + 1)).sum(
            -1
        )  # change of a dot's entropy along its arrow
        assert (along <= 1e-5).all()


def test_term_two_raises_the_entropy_of_the_mean(trajectories):
    for run in trajectories("strangers"):
        for m in (INFOMAX, UEO):
            q = 1 / run.weights[m]
            mean = run.mean[m, 0].astype(float)
            change = ((q / q.sum())[:, None] * run.arrows[m, 0, 1]).sum(0)
            assert -(change * (np.log(mean) + 1)).sum() >= -1e-6
    assert {"both", "each", "one", "two", "move", "none"} == ARROWS.keys()


# The presets


def hints(key: str, part: str) -> None:
    assert part in PRESETS[key].hint


def test_preset_strangers(trajectories):
    hints("strangers", "Four of ten images belong to no class.")
    assert (~trajectories("strangers")[0].known).sum() == 0.4 * IMAGES


def test_preset_closed(trajectories):
    hints("closed", "Every image belongs to a class, so the weights have little effect.")
    for run in trajectories("closed"):
        assert run.known.all()
    gaps = [abs(run.acc[UEO, -1] - run.acc[INFOMAX, -1]) for run in trajectories("closed")]
    assert gaps[0] < 8 and np.median(gaps) < 4


def test_preset_lookalike(trajectories):
    hints("lookalike", "Unknown images are as similar to a class as known images.")
    for run in trajectories("lookalike"):
        sure = run.points[UEO, 0].max(1)
        assert abs(sure[run.known].mean() - sure[~run.known].mean()) < 0.12


def test_preset_absent(trajectories):
    hints("absent", "No image shows class C.")
    assert not any((run.truth == 2).any() for run in trajectories("absent"))


def test_preset_released(trajectories):
    hints("released", "unscaled cosines, as in the released script. Compare UEO with InfoMax.")
    for run in trajectories("released"):
        cos = run.cosines[UEO, 0].astype(float)
        p = np.exp(cos) / np.exp(cos).sum(1, keepdims=True)
        np.testing.assert_allclose(run.weights[UEO], p.max(1), atol=1e-5)


def test_preset_lambda(trajectories):
    hints("lambda", "Term two is switched off.")
    for run in trajectories("lambda"):
        assert not run.arrows[UEO, :, 1].any()


# Methods, and the kinds of unknown images


def test_method_entmin(trajectories):
    assert "Only sharpens" in METHODS["entmin"].about and "can collapse" in METHODS["entmin"].about
    z = torch.randn(5, 3)
    assert entmin(z).item() == pytest.approx(entropy(z).mean().item(), abs=1e-6)
    few = [len(set(run.points[ENTMIN, -1].argmax(1))) < 3 for run in trajectories("closed")]
    assert any(few) and not all(few)  # can, not must


def test_method_infomax():
    assert "two terms with equal weights for all images" in METHODS["infomax"].about
    z = torch.randn(5, 3)
    mean = z.softmax(1).mean(0)
    expected = entropy(z).mean() + (mean * mean.log()).sum()
    assert infomax(z).item() == pytest.approx(expected.item(), abs=1e-5)


def test_method_ueo(trajectories):
    about = METHODS["ueo"].about
    assert "confident predictions" in about and "mean prediction of the uncertain" in about
    for run in trajectories("strangers"):
        w, p = run.weights[UEO].astype(float), run.points[UEO, 0].astype(float)
        # Term one: compared with equal weights, its arrows are longer by the factor N · w / Σ w.
        length = [np.linalg.norm(run.arrows[m, 0, 0], axis=1) for m in (UEO, INFOMAX)]
        np.testing.assert_allclose(length[0] / length[1], IMAGES * w / w.sum(), rtol=2e-3)
        # Term two: the arrow of an image raises the entropy of the mean, times q = (1/w) / Σ (1/w).
        q, log_mean = (1 / w) / (1 / w).sum(), np.log(run.mean[UEO, 0].astype(float))
        descent = -q[:, None] * p * (log_mean - (p * log_mean).sum(1, keepdims=True))
        expected = IMAGES * p * (descent - (p * descent).sum(1, keepdims=True))
        np.testing.assert_allclose(run.arrows[UEO, 0, 1], expected, atol=1e-5)
        assert np.abs(expected).max() > 1e-3


def start(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Zero-shot predictions of unknown images of a kind, and of known images."""
    found = [simulate(TriangleSettings(kind=kind, seed=s)) for s in range(6)]
    pick = lambda known: np.concatenate([r.points[UEO, 0][r.known == known] for r in found])  # noqa: E731
    return pick(False), pick(True)


def test_kind_two():
    assert KINDS["two"] == "two unknown objects, each similar to a class"
    unknown, _ = start("two")
    even, odd = unknown[::2].mean(0), unknown[1::2].mean(0)
    assert (even.argmax(), odd.argmax()) == (0, 1)


def test_kind_one():
    assert KINDS["one"] == "one unknown object, similar to one class"
    unknown, _ = start("one")
    assert unknown[::2].mean(0).argmax() == unknown[1::2].mean(0).argmax() == 0


def test_kind_nothing():
    assert KINDS["nothing"] == "similar to no class"
    unknown, known = start("nothing")
    assert np.abs(unknown.mean(0) - 1 / 3).max() < 0.03
    assert unknown.max(1).mean() < known.max(1).mean() - 0.1


def test_kind_lookalike():
    assert KINDS["lookalike"] == "as similar to a class as known images"
    unknown, known = start("lookalike")
    assert abs(unknown.max(1).mean() - known.max(1).mean()) < 0.12


# The rest of what is shown


def test_ueo_with_more_equal_weights_is_closer_to_infomax(demo):
    assert "The more equal the weights are, the closer UEO is to InfoMax" in weights_note(demo)
    far = []
    for t in (1.0, 2.0, 4.0, 8.0):
        found = [simulate(TriangleSettings(temperature=t, seed=s)) for s in range(6)]
        far.append(np.mean([np.abs(r.arrows[UEO, 0] - r.arrows[INFOMAX, 0]).mean() for r in found]))
    assert np.all(np.diff(far) < 0)


def test_the_paper_is_cited_with_its_number():
    assert "2308.12919" in PAPER and "ICML 2024" in PAPER and "Liang" in PAPER


def test_exercises_give_the_numbers_they_name(trajectories):
    by_tie = {e.check: e.answer for e in EXERCISES}
    assert "log 3 ≈ 1.10 nats" in by_tie["entropy_ends"]
    assert "the accuracy is one third" in by_tie["entmin_lowest_term_one"]
    assert "so UEO collapses as well" in by_tie["lambda_zero_collapses"]
    assert "At most by about a quarter" in by_tie["released_weights_ratio"]
    assert "It is 0, and its gradient is 0" in by_tie["one_image_cancels"]
    assert "the unknown images move there" in by_tie["empty_class_fills"]
    assert "can still collapse" in by_tie["closed_set"]
    assert "33 %" in n.of_triangle(trajectories("strangers")[0].settings)["entmin_end"]


def test_unscaled_weights_can_make_ueo_fail(trajectories):
    """With nearly equal weights, the confidence on unknown images is as high as with InfoMax."""
    ends = np.array(
        [
            r.points[[UEO, INFOMAX], -1][:, ~r.known].max(-1).mean(-1)
            for r in trajectories("released")
        ]
    )
    assert ends[0, 0] >= 0.8 and (ends[:, 0] >= 0.8).mean() > 0.5
    assert np.median(np.abs(ends[:, 0] - ends[:, 1])) < 0.1
