"""ROSITA's banks and loss against NumPy, image by image, over several batches."""

import numpy as np
import pytest
import torch

from tests.methods.test_adand import otsu
from tests.methods.test_batclip import unit
from ueo_core.methods.rosita import Rosita, reliable


class Slow:
    """The same banks and loss without tensors."""

    def __init__(self):
        self.scores, self.known, self.unknown = [], [], []

    def __call__(self, f: np.ndarray, text: np.ndarray) -> float:
        cosines = f @ text.T
        score, label = cosines.max(1), cosines.argmax(1)
        self.scores = (self.scores + score.tolist())[-512:]
        t = otsu(self.scores)
        high = np.mean([s for s in self.scores if s >= t])
        low = np.mean([s for s in self.scores if s < t])
        known, unknown = np.flatnonzero(score > high), np.flatnonzero(score < low)
        self.known = (self.known + [f[i] for i in known])[-5 * len(text) :]
        self.unknown = (self.unknown + [f[i] for i in unknown])[-64:]
        ready = len(self.known) > 5 and len(self.unknown) > 5
        losses = []
        for i in known:
            loss = np.log(np.exp(cosines[i]).sum()) - cosines[i, label[i]]
            if ready:
                loss += 0.5 * self.contrast(f[i], self.known, self.unknown, text, label[i])
            losses.append(loss)
        if ready:
            losses += [0.5 * self.contrast(f[i], self.unknown, self.known) for i in unknown]
        return float(np.mean(losses)) if losses else 0.0

    def contrast(self, x, own, other, text=None, label=None) -> float:
        near = sorted(own, key=lambda v: -(v @ x))[:5]
        far = sorted((v @ x for v in other), reverse=True)[:5]
        terms = [np.log(np.exp(far).sum()) - v @ x for v in near]
        if text is not None:
            terms = [t * ((text @ v).argmax() == label) for t, v in zip(terms, near, strict=True)]
        return float(np.mean(terms))


def test_equals_numpy_over_batches_and_the_banks_keep_their_size():
    g = np.random.default_rng(0)
    text = unit(g, 3, 8)
    fast, slow = Rosita(), Slow()
    for _ in range(12):
        f = unit(g, 16, 8)
        f[:8] += 2 * text[g.integers(0, 3, 8)]  # half of them near a class
        f /= np.linalg.norm(f, axis=1, keepdims=True)
        found = fast(torch.tensor(f), torch.tensor(text))
        assert float(found) == pytest.approx(slow(f, text), abs=1e-9)
    assert len(fast.known) == 15 and 6 < len(fast.unknown) <= 64
    np.testing.assert_allclose(fast.known, slow.known)
    np.testing.assert_allclose(fast.unknown, slow.unknown)


def test_known_images_are_drawn_to_known_ones_and_from_unknown_ones():
    g = np.random.default_rng(1)
    text = torch.eye(2, 6)
    known = torch.tensor(unit(g, 20, 6)) * 0.1 + text[0]
    unknown = torch.tensor(unit(g, 20, 6)) * 0.1 + torch.eye(6)[4]
    rosita = Rosita()
    pool = torch.nn.functional.normalize(torch.cat([known, unknown]), dim=1).float()
    rosita(pool, text)
    f = pool.clone().requires_grad_()
    rosita(f, text).backward()
    step = -f.grad
    sure = step.norm(dim=1) > 0
    assert sure[:20].any() and sure[20:].any() and not sure.all()
    assert (step[:20][sure[:20]] @ (text[0] - torch.eye(6)[4]) > 0).all()
    assert (step[20:][sure[20:]] @ (torch.eye(6)[4] - text[0]) > 0).all()


def test_nothing_is_reliable_where_all_scores_are_equal():
    known, unknown = reliable(np.full(4, 0.25), np.full(9, 0.25))
    assert not known.any() and not unknown.any()
    loss = Rosita()(torch.eye(3, 4)[[0, 0]].requires_grad_(), torch.eye(3, 4))
    assert float(loss.detach()) == 0 and loss.requires_grad
