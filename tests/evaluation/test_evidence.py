"""Each criterion on a small example that was computed by hand, and the order that they agree on."""

import numpy as np
import pytest

from ueo_core.evaluation.evidence import (
    CRITERIA,
    Measured,
    certainty,
    confident_consistency,
    crop_consistency,
    evidence,
    information,
    kept_predictions,
    neighbor_consistency,
    nuclear_norm,
    score_agreement,
    separation,
    soft_neighborhood_density,
    spread_of,
    two_groups,
)

SCALE = 10.0


def one_hot(classes, n_classes=2, high=0.5) -> np.ndarray:
    cosines = np.zeros((*np.shape(classes), n_classes))
    np.put_along_axis(cosines, np.asarray(classes)[..., None], high, -1)
    return cosines


def model(
    predictions, crops, confidence=None, features=None, zero_shot=None, scale=SCALE, high=0.5
):
    """A model with these predictions for images, and for crops of all of them."""
    n = len(predictions)
    n_classes = 1 + max(np.max(predictions), np.max(crops), 1)
    if features is None:
        features = np.eye(n)
    return Measured(
        one_hot(predictions, n_classes, high),
        np.asarray(features, np.float32),
        scale,
        np.arange(n),
        one_hot(crops, n_classes, high),
        np.linspace(0, 1, n) if confidence is None else np.asarray(confidence),
        np.asarray(predictions if zero_shot is None else zero_shot),
    )


def test_crops_that_agree_by_chance_count_nothing():
    half = [0, 0, 1, 1]
    assert crop_consistency(model(half, [half, half])) == pytest.approx(1)
    # A = 1/2 and E = 1/2
    assert crop_consistency(model(half, [[0, 1, 1, 0], [1, 0, 0, 1]])) == pytest.approx(0)
    # A = 3/4: (3/4 − 1/2)/(1/2)
    assert crop_consistency(model(half, [[0, 0, 1, 0], [0, 0, 1, 0]])) == pytest.approx(0.5)


def test_confident_images_are_the_half_with_the_larger_zero_shot_confidence():
    m = model([0, 0, 1, 1], [[1, 0, 1, 1], [1, 1, 1, 0]], confidence=[0.1, 0.2, 0.8, 0.9])
    assert confident_consistency(m) == pytest.approx(3 / 4)
    m = model([0, 0, 1, 1], [[1, 0, 1, 1], [1, 1, 1, 0]], confidence=[0.9, 0.8, 0.2, 0.1])
    assert confident_consistency(m) == pytest.approx(1 / 4)


def test_neighbors_are_found_by_features_and_corrected_for_chance():
    features = [[1, 0], [1, 0], [0, 1], [0, 1]]
    two = np.repeat(features, 3, axis=0)  # each image has 5 equal ones
    classes = [0] * 6 + [1] * 6
    assert neighbor_consistency(model(classes, [classes], features=two)) == pytest.approx(1)
    mixed = [0, 1, 0, 1, 0, 1] * 2
    # Of the 5 equal ones of each image 2 have its class: A = 2/5, E = 1/2.
    assert neighbor_consistency(model(mixed, [mixed], features=two)) == pytest.approx(-0.2)
    assert neighbor_consistency(model([0] * 12, [[0] * 12], features=two)) == 0.0
    assert neighbor_consistency(model([0], [[0]])) == 0.0


def test_a_collapsed_model_has_no_evidence_but_of_confident_images():
    alike = [0] * 8
    m = model(alike, [alike, alike], features=np.ones((8, 2)) / np.sqrt(2))
    assert evidence(m) == pytest.approx(1) and spread_of(m) < 0.1
    fine = [0, 1] * 4
    features = np.eye(2)[fine]
    m = model(fine, [fine, fine], features=features, scale=200)
    assert evidence(m) > 2 and spread_of(m) == pytest.approx(1, abs=1e-6)


def test_soft_neighborhood_density_is_the_entropy_of_equal_similarities():
    m = model([0, 0, 0, 0], [[0, 0, 0, 0]])
    assert soft_neighborhood_density(m) == pytest.approx(np.log(3))
    # Two pairs: each image has one neighbor, at a temperature that leaves nothing to the others.
    m = model([0, 0, 1, 1], [[0, 0, 1, 1]], scale=200)
    assert soft_neighborhood_density(m) == pytest.approx(0, abs=1e-6)


def test_the_nuclear_norm_is_largest_for_certain_and_different_predictions():
    assert nuclear_norm(model([0, 1, 0, 1], [[0, 1, 0, 1]], scale=400)) == pytest.approx(1)
    # Rank one: ‖·‖ = √4, of √(4·2)
    assert nuclear_norm(model([0] * 4, [[0] * 4], scale=400)) == pytest.approx(1 / np.sqrt(2))


def test_certainty_and_information_of_certain_and_of_even_predictions():
    certain = model([0, 1, 0, 1], [[0, 1, 0, 1]], scale=400)
    assert certainty(certain) == pytest.approx(0, abs=1e-9)
    assert information(certain) == pytest.approx(np.log(2))
    even = model([0, 1, 0, 1], [[0, 1, 0, 1]], high=0.0)
    assert certainty(even) == pytest.approx(-np.log(2))
    assert information(even) == pytest.approx(0, abs=1e-9)


def test_kept_predictions_are_those_of_the_zero_shot_model():
    m = model([0, 1, 1, 1], [[0, 1, 1, 1]], zero_shot=[0, 0, 1, 1])
    assert kept_predictions(m) == 0.75


def test_separated_scores_are_farther_apart():
    g = np.random.default_rng(0)
    apart = np.concatenate([g.normal(0.9, 0.02, 60), g.normal(0.2, 0.02, 60)])
    cosines = np.stack([apart, np.zeros(120)], 1)
    m = model([0] * 120, [[0] * 120])
    near = Measured(
        np.stack([g.normal(0.5, 0.1, 120), np.zeros(120)], 1),
        *(m.features, SCALE, m.cropped, m.crops, m.confidence, m.zero_shot),
    )
    far = Measured(cosines, m.features, SCALE, m.cropped, m.crops, m.confidence, m.zero_shot)
    assert separation(far) > 10 > separation(near)


def test_no_criterion_sees_a_label_and_every_one_is_a_number():
    g = np.random.default_rng(1)
    cosines = g.normal(size=(30, 4)).astype(np.float32)
    features = g.normal(size=(30, 8)).astype(np.float32)
    m = Measured(
        cosines,
        features / np.linalg.norm(features, axis=1, keepdims=True),
        SCALE,
        np.arange(0, 30, 2),
        g.normal(size=(2, 15, 4)).astype(np.float32),
        g.uniform(size=30),
        cosines.argmax(1),
    )
    values = {name: criterion.measure(m) for name, criterion in CRITERIA.items()}
    assert all(isinstance(v, float) and np.isfinite(v) for v in values.values())
    assert values["evidence"] == pytest.approx(
        sum(values[k] for k in ("crops", "neighbors", "confident", "scores", "groups"))
    )


def test_scores_of_crops_agree_where_their_order_is_the_same():
    g = np.random.default_rng(0)
    heights = g.permutation(np.linspace(0.2, 0.9, 12))
    cosines = np.stack([heights, np.zeros(12)], 1)
    m = model([0] * 12, [[0] * 12])
    rest = (m.features, SCALE, m.cropped)
    same = Measured(cosines, *rest, cosines[None] / 2, m.confidence, m.zero_shot)
    half = np.stack([cosines, 1 - cosines[:, ::-1]])
    assert score_agreement(same) == pytest.approx(1)
    fallen = np.stack([heights.max() - heights, np.zeros(12)], 1)
    against = Measured(cosines, *rest, fallen[None], m.confidence, m.zero_shot)
    assert score_agreement(against) == pytest.approx(-1)
    both = Measured(cosines, *rest, np.stack([cosines, fallen]), m.confidence, m.zero_shot)
    assert score_agreement(both) == pytest.approx(0)
    flat = Measured(np.ones((12, 2)), *rest, half, m.confidence, m.zero_shot)
    assert score_agreement(flat) == 0


def test_groups_that_are_far_apart_count_once():
    g = np.random.default_rng(0)
    m = model([0] * 120, [[0] * 120])
    for gap, least, most in ((0.7, 1.0, 1.0), (0.0, 0.0, 0.7)):
        scores = np.concatenate([g.normal(0.2 + gap, 0.02, 60), g.normal(0.2, 0.02, 60)])
        cosines = np.stack([scores, np.zeros(120)], 1)
        found = Measured(cosines, m.features, SCALE, m.cropped, m.crops, m.confidence, m.zero_shot)
        assert least <= two_groups(found) <= most
        assert two_groups(found) == pytest.approx(min(separation(found), 6) / 6)
