"""UPL: its pseudo-labels, what it trains, and that it learns them."""

import math

import numpy as np
import pytest
import torch

from tests.conftest import Arrays
from ueo_core.config.settings import Settings
from ueo_core.data.transforms import Views
from ueo_core.methods.upl import pseudo_labels, upl
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.training.loop import image_features


def test_the_k_most_confident_images_of_each_predicted_class():
    cosines = torch.tensor(np.random.default_rng(0).uniform(0, 0.4, (60, 5)))
    cosines[:, 4] = -1  # a class that is predicted for no image
    index, target = pseudo_labels(cosines, 20.0, k=3)
    e = np.exp(20 * cosines.numpy())
    p = e / e.sum(1, keepdims=True)
    expected = []
    for c in range(5):
        mine = [i for i in range(60) if p[i].argmax() == c]
        expected += sorted(mine, key=lambda i: -p[i].max())[:3]
    assert index.tolist() == expected
    assert target.tolist() == [int(p[i].argmax()) for i in expected]
    assert 4 not in target


@pytest.fixture
def ready(tiny):
    model = AdaptedCLIP(tiny, ["dog", "cat", "house"])
    return model, image_features(model, Views(Arrays(20), tiny))


def chosen(**changes) -> Settings:
    return Settings(epochs=20, batch_size=8, lr=0.05, device="cpu").changed(**changes)


def test_trains_the_prompt_alone_and_lowers_its_loss(ready):
    model, features = ready
    before = {k: v.clone() for k, v in model.adapter().items()}
    losses = list(upl(model, features, chosen()))
    after = model.adapter()
    assert [k for k in after if not torch.equal(after[k], before[k])] == ["context"]
    assert np.mean(losses[-3:]) < 0.9 * np.mean(losses[:3])


def test_is_a_function_of_its_seed(ready):
    model, features = ready
    contexts = []
    for seed in (0, 0, 1):
        model.reset()
        for _ in upl(model, features, chosen(seed=seed, epochs=2)):
            pass
        contexts.append(model.context.detach().clone())
    assert torch.equal(contexts[0], contexts[1]) and not torch.equal(contexts[0], contexts[2])


def test_it_equals_a_hand_written_loop_with_momentum(ready):
    model, features = ready
    batches, cosines = [], model.cosines
    model.cosines = lambda f: batches.append(f) or cosines(f)
    steps = list(upl(model, features, chosen(epochs=3)))
    batches = batches[1:]  # the first call is for the pseudo-labels
    assert len(batches) == len(steps) and len(steps) % 3 == 0

    own = AdaptedCLIP(model.backbone, model.classes)
    (context,) = own.select("prompt")
    zero_shot = own.encode_text().detach()
    optimizer = torch.optim.SGD([context], lr=1.0, momentum=0.9, weight_decay=5e-4)
    for i, logit_features in enumerate(batches):
        optimizer.param_groups[0]["lr"] = 0.05 * (1 + math.cos(math.pi * i / len(steps))) / 2
        logits = logit_features @ own.encode_text().T
        target = (logit_features @ zero_shot.T).argmax(1)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(logits, target).backward()
        optimizer.step()
    torch.testing.assert_close(model.context.detach(), context.detach(), atol=1e-6, rtol=1e-5)


def test_every_epoch_has_another_order(ready):
    model, features = ready
    batches, cosines = [], model.cosines
    model.cosines = lambda f: batches.append(f) or cosines(f)
    steps = len(list(upl(model, features, chosen(epochs=2)))) // 2
    first, second = torch.cat(batches[1 : 1 + steps]), torch.cat(batches[1 + steps :])
    assert not torch.equal(first, second)
    torch.testing.assert_close(first.sort(0).values, second.sort(0).values)
