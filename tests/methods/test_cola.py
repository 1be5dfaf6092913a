"""COLA: its pseudo-labels and its network against NumPy, and that it learns them."""

import numpy as np
import torch
import torch.nn.functional as F

from tests.methods.test_stata import Texts
from tests.methods.test_transclip import clusters
from ueo_core.config.settings import Settings
from ueo_core.methods.cola import ContextAwareModule, adapt_features, balanced_labels, cola


def test_pseudo_labels_have_a_limit_of_each_class():
    cosines = np.random.default_rng(0).uniform(0, 0.4, (60, 6))
    cosines[:, 4] = -1  # predicted for no image
    cosines[:2, 5], cosines[2:, 5] = 0.5, -1  # for two: all of them are taken
    e = np.exp(10 * cosines)
    p = e / e.sum(1, keepdims=True)
    expected = []
    for i in range(60):
        c = p[i].argmax()
        own = sorted((p[j, c] for j in range(60) if p[j].argmax() == c), reverse=True)
        limit = 0 if len(own) < 3 else min(own[round(0.75 * len(own))], 0.75)
        if p[i, c] > limit:
            expected.append((i, c))
    index, target = balanced_labels(torch.tensor(cosines), 10.0)
    assert list(zip(index.tolist(), target.tolist(), strict=True)) == expected
    assert 20 < len(expected) < 60


def test_the_network_written_out():
    module = ContextAwareModule(6, np.random.default_rng(0))
    g = np.random.default_rng(1)
    x = g.normal(size=(5, 6))
    kept = g.uniform(size=256) >= 0.1
    a, b = (w.detach().double().numpy() for w in module.adapter)
    (w1, w2, w3), (b1, b2, b3) = (
        [v.detach().double().numpy() for v in values] for values in (module.weights, module.biases)
    )
    mean = x.mean(0)
    hidden = np.maximum((w1 @ mean + b1) * kept / 0.9, 0)
    domain = w3 @ np.maximum(w2 @ hidden + b2, 0) + b3 + mean / (1 + np.exp(-1))
    expected = 0.1 * x + 0.5 * np.maximum(np.maximum(x @ a.T, 0) @ b.T, 0) + domain
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    features = torch.tensor(x).float()
    found = module(features, features.mean(0), torch.tensor(kept))
    np.testing.assert_allclose(found.detach(), expected, atol=1e-5)
    assert float(b1[0]) == np.float32(0.01) and w1.shape == (256, 6)


def test_training_learns_the_pseudo_labels_and_is_repeatable():
    f, _, truth = clusters(n=90)
    text = F.normalize(torch.eye(3, f.shape[1]) + 0.1, dim=1)
    settings = Settings(method="cola", epochs=15, batch_size=32, seed=2)

    def trained() -> tuple[list[float], torch.Tensor]:
        module = ContextAwareModule(f.shape[1], np.random.default_rng(0))
        losses = list(cola(module, f, text, 20.0, settings))
        return losses, module(f, f.mean(0)) @ text.T

    losses, cosines = trained()
    assert np.mean(losses[-3:]) < 0.2 * np.mean(losses[:3])
    index, target = balanced_labels(f @ text.T, 20.0)
    assert len(losses) == 15 * -(-len(index) // 32)
    assert (cosines.argmax(1)[index] == target).float().mean() > 0.95
    assert losses == trained()[0]


def test_a_prediction_does_not_depend_on_the_images_beside_it():
    f, _, _ = clusters(n=60)
    model = Texts(F.normalize(torch.eye(3, f.shape[1]) + 0.1, dim=1))
    calls: list[int] = []
    settings = Settings(method="cola", epochs=2, batch_size=16)
    _, all_test = adapt_features(model, f[:40], f[40:], settings, lambda: calls.append(1))
    pool, few = adapt_features(model, f[:40], f[40:43], settings, lambda: None)
    torch.testing.assert_close(few.cosines, all_test.cosines[:3])
    assert pool.cosines.shape == (40, 3) and calls
