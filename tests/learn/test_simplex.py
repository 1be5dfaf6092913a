"""The triangle's simulation against a second computation with `ueo_core.methods.ueo`."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ueo_core.evaluation.metrics import OOD, evaluate
from ueo_core.learn.payload import ARROW_UNITS, POINT_UNITS, pack, payload
from ueo_core.learn.simplex import ORDER, batch, cosines, learning_rate, simulate
from ueo_core.learn.triangle_settings import IMAGES, LOGIT_SCALE, PRESETS, STEPS, TriangleSettings
from ueo_core.methods.ueo import confidence_weights, entmin, infomax, ueo


def losses(settings: TriangleSettings):
    """The three losses, from the functions of the method. → name → function of logits"""
    x, _ = batch(settings)
    start = cosines(x, torch.zeros(1, 5), torch.zeros(1, 5))[0]
    w = confidence_weights(start, LOGIT_SCALE / settings.temperature)
    return {"entmin": entmin, "infomax": infomax, "ueo": lambda z: ueo(z, w, settings.trade)}


@pytest.mark.parametrize("name", ORDER)
def test_trajectory_is_gradient_descent_on_the_objective(name):
    settings = TriangleSettings(seed=3, share=30, temperature=2.0)
    run, m = simulate(settings), ORDER.index(name)
    x, _ = batch(settings)
    parameters = [torch.zeros(1, 5, requires_grad=True) for _ in range(2)]
    loss_of = losses(settings)[name]
    for k in range(STEPS + 1):
        logits = LOGIT_SCALE * cosines(x, *parameters)[0]
        loss = loss_of(logits)
        np.testing.assert_allclose(
            run.points[m, k], logits.softmax(1).detach().numpy(), atol=2e-4, err_msg=f"step {k}"
        )
        assert run.loss[m, k] == pytest.approx(loss.item(), abs=2e-4)
        if k == 12:  # later, rounding errors grow too large for the comparison
            break
        for p, g in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            p.data -= learning_rate(k) * g


@pytest.mark.parametrize(
    "settings", [TriangleSettings(), TriangleSettings(kind="lookalike", sure=0.8, seed=5)]
)
def test_a_moved_image_starts_at_its_new_place_and_the_others_do_not_change(settings):
    moved = ((0, 98, 1), (7, 20, 30), (59, 1, 1))  # known ones and an unknown one, also in corners
    run = simulate(replace(settings, moved=moved))
    for i, a, b in moved:
        np.testing.assert_allclose(run.points[:, 0, i, 0], a / 100, atol=1e-4)
        np.testing.assert_allclose(run.points[:, 0, i, 1], b / 100, atol=1e-4)
    others = np.setdiff1d(np.arange(IMAGES), [i for i, _, _ in moved])
    np.testing.assert_array_equal(run.points[:, 0, others], simulate(settings).points[:, 0, others])
    np.testing.assert_array_equal(run.truth, simulate(settings).truth)


@pytest.mark.parametrize("name", ORDER)
def test_arrows_are_the_gradient_of_the_objective_on_each_point(name):
    run, m, k = simulate(TriangleSettings(seed=1)), ORDER.index(name), 7
    logits = torch.tensor(LOGIT_SCALE * run.cosines[m, k], requires_grad=True)
    losses(TriangleSettings(seed=1))[name](logits).backward()
    direction = -logits.grad
    # The first-order change of softmax along the descent, by finite differences.
    step = 1e-3 / direction.abs().max()
    with torch.no_grad():
        ahead = (logits + step * direction).double().softmax(1)
        behind = (logits - step * direction).double().softmax(1)
    expected = IMAGES * ((ahead - behind) / (2 * step)).numpy()
    np.testing.assert_allclose(run.arrows[m, k].sum(0), expected, atol=2e-3)
    assert np.abs(expected).max() > 0.05
    np.testing.assert_allclose(
        run.arrows.sum(-1), 0, atol=1e-4
    )  # nothing leaves the plane of the triangle


def test_same_start_for_all_and_predictions_are_probabilities():
    run = simulate(TriangleSettings(seed=5))
    for m in (1, 2):
        np.testing.assert_array_equal(run.points[0, 0], run.points[m, 0])
    np.testing.assert_allclose(run.points.sum(-1), 1, atol=1e-5)
    assert run.points.shape == (3, STEPS + 1, IMAGES, 3)


def test_acc_and_auc_are_those_of_the_metrics():
    run = simulate(TriangleSettings(seed=2))
    for m in range(3):
        for k in (0, 17, STEPS):
            found = evaluate(run.cosines[m, k], run.truth, ["A", "B", "C"], LOGIT_SCALE)
            assert run.acc[m, k] == pytest.approx(found["acc"])
            assert run.auc[m, k] == pytest.approx(found["auc"], abs=1e-6)


def test_share_and_kind_of_unknown_images():
    for share in (0, 25, 80):
        _, truth = batch(TriangleSettings(share=share))
        assert (truth == OOD).sum() == round(IMAGES * share / 100)
    assert np.isnan(simulate(TriangleSettings(share=0)).auc).all()
    assert 2 not in batch(TriangleSettings(absent=True))[1]
    x, truth = batch(TriangleSettings(kind="nothing", seed=4))
    unknown, known = x[truth == OOD], x[truth != OOD]
    assert unknown[:, 4].min() > known[:, 4].max() + 0.5  # the feature of unknown images
    look, _ = batch(TriangleSettings(kind="lookalike", seed=4))
    assert look[truth == OOD][:, 4].abs().max() < 0.5


def test_the_confidence_setting_raises_the_confidence_of_known_images():
    sure = [
        simulate(TriangleSettings(sure=s)).points[0, 0].max(1)[:36].mean() for s in (0.2, 0.4, 0.8)
    ]
    assert sure[0] < sure[1] < sure[2]


def test_the_seed_draws_another_batch_and_the_same_seed_the_same():
    assert not np.array_equal(
        simulate(TriangleSettings(seed=1)).points, simulate(TriangleSettings(seed=2)).points
    )
    np.testing.assert_array_equal(
        batch(TriangleSettings(seed=1))[0], batch(TriangleSettings(seed=1))[0]
    )


def test_settings_out_of_range_are_clipped():
    extreme = TriangleSettings(
        seed=10**6, share=400, kind="?", sure=9.0, trade=-1.0, temperature=0.0
    ).within()
    assert extreme == TriangleSettings(
        seed=999, share=80, kind="two", sure=0.8, trade=0.0, temperature=1.0
    )
    assert all(p.settings.within() == p.settings for p in PRESETS.values())


def test_payload_contains_points_arrows_and_sentences():
    settings, methods = TriangleSettings(seed=6), ("ueo", "entmin")
    run, data = simulate(settings), payload(settings, methods)
    rows = [run.methods.index(name) for name in methods]
    values = np.frombuffer(pack(run, rows), "<i2").reshape(2, STEPS + 1, IMAGES, 6)
    np.testing.assert_allclose(values[..., :2] / POINT_UNITS, run.points[rows][..., :2], atol=1e-4)
    np.testing.assert_allclose(
        values[..., 2:4] / ARROW_UNITS, run.arrows[rows, :, 0][..., :2], atol=1e-3
    )
    np.testing.assert_allclose(
        values[..., 4:] / ARROW_UNITS, run.arrows[rows, :, 1][..., :2], atol=1e-3
    )
    assert [m["key"] for m in data["methods"]] == list(methods)
    assert data["truth"] == run.truth.tolist()
    np.testing.assert_allclose(data["terms"], run.terms[rows], atol=1e-4)
    assert data["words"][1][STEPS].startswith("EntMin: 60 of 60 predictions are class")
    assert data["words"][1][0] == "EntMin: zero-shot, same for all methods."
    alone = payload(settings, ("entmin",))
    assert alone["words"][0][0] == "EntMin: zero-shot."
