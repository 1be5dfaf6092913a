"""AdaND: its detector against NumPy with Adam written out, its noise images, and its score."""

import numpy as np
import pytest
import torch

from tests.conftest import Arrays
from ueo_core.config.settings import Settings
from ueo_core.data.transforms import Views
from ueo_core.methods import adand
from ueo_core.methods.adand import adapt_features, noise_images, train_detector
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.training.loop import image_features


def otsu(scores: list[float]) -> float:
    """Every score in turn as the lowest of the upper group."""

    def within(t: float) -> float:
        groups = [[s for s in scores if s < t], [s for s in scores if s >= t]]
        return sum(len(g) * np.var(g) for g in groups if g)

    return min(sorted(set(scores))[1:], key=within)


def test_the_detector_equals_adam_written_out(monkeypatch):
    monkeypatch.setattr(adand, "LEAST_BATCHES", 4)
    g = np.random.default_rng(1)
    x = g.normal(size=(11, 4))
    sure = g.uniform(size=11).astype(np.float32).astype(float)
    noise = np.arange(11) >= 9
    settings = Settings(epochs=1, batch_size=6, seed=3)  # two batches a pass, so two passes
    weight, bias = train_detector(
        torch.tensor(x).float(), torch.tensor(sure).float(), torch.tensor(noise), settings
    )

    g = np.random.default_rng([3, 5])
    w, b = g.uniform(-0.5, 0.5, (2, 4)), g.uniform(-0.5, 0.5, 2)
    values, last, t = [w, b], [], 0
    first_moment, second = [np.zeros((2, 4)), np.zeros(2)], [np.zeros((2, 4)), np.zeros(2)]
    for _ in range(2):
        order = g.permutation(11)
        for batch in (order[:6], order[6:]):
            t += 1
            last += sure[batch].tolist()
            known = (sure[batch] >= otsu(last)) & ~noise[batch]
            z = x[batch] @ w.T + b
            p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
            p[np.arange(len(batch)), known.astype(int)] -= 1
            for i, gradient in enumerate((p.T @ x[batch] / len(batch), p.mean(0))):
                first_moment[i] = 0.9 * first_moment[i] + 0.1 * gradient
                second[i] = 0.999 * second[i] + 0.001 * gradient**2
                step = first_moment[i] / (1 - 0.9**t)
                values[i] -= 5e-4 * step / (np.sqrt(second[i] / (1 - 0.999**t)) + 1e-8)
    np.testing.assert_allclose(weight, w, atol=2e-6)
    np.testing.assert_allclose(bias, b, atol=2e-6)


@pytest.fixture
def ready(tiny):
    model = AdaptedCLIP(tiny, ["dog", "cat", "house"])
    return model, image_features(model, Views(Arrays(24), tiny))


def test_noise_images_are_stretched_to_all_levels(ready):
    model, _ = ready
    images = noise_images(3, model, np.random.default_rng(0))
    wanted = model.backbone.preprocessing
    mean, std = (torch.tensor(v)[:, None, None] for v in (wanted.mean, wanted.std))
    levels = (images * std + mean) * 255
    assert images.shape == (3, 3, *wanted.size)
    torch.testing.assert_close(levels.amin((1, 2, 3)), torch.zeros(3), atol=1e-3, rtol=0)
    torch.testing.assert_close(levels.amax((1, 2, 3)), torch.full((3,), 255.0), atol=1e-3, rtol=0)
    torch.testing.assert_close(levels, levels.round(), atol=1e-3, rtol=0)
    assert torch.equal(images, noise_images(3, model, np.random.default_rng(0)))


def test_noise_is_unknown_however_sure_zero_shot_is_of_it(monkeypatch):
    g = np.random.default_rng(0)
    kinds = np.repeat([0, 1, 2], (30, 15, 8))  # known, unknown, noise
    x = torch.tensor(3 * np.eye(3, 5)[kinds] + g.normal(0, 0.3, (53, 5))).float()
    sure = torch.tensor(np.array([0.9, 0.3, 0.9])[kinds] + g.normal(0, 0.02, 53)).float()
    monkeypatch.setattr(adand, "RATE", 0.05)
    settings = Settings(epochs=30, batch_size=16)
    weight, bias = train_detector(x, sure, torch.tensor(kinds == 2), settings)
    found = (x @ weight.T + bias).argmax(1)
    assert found.tolist() == (kinds == 0).astype(int).tolist()


def test_classes_stay_those_of_zero_shot(ready):
    model, features = ready
    calls: list[int] = []
    settings = Settings(method="adand", epochs=6, batch_size=16, seed=1)
    pool, test = adapt_features(model, features, features[:3], settings, lambda: calls.append(1))
    torch.testing.assert_close(pool.cosines, model.cosines(features).detach())
    torch.testing.assert_close(test.score, pool.score[:3])
    assert calls
