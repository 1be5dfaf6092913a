"""A hand-written loop over the user's own open_clip model against `fit`."""

import json

import numpy as np
import open_clip
import torch
from open_clip.model import CLIP
from safetensors.torch import load_file

import ueo_core as ueo
from tests.api.test_estimator import CLASSES, pixels
from ueo_core.api.images import open_images
from ueo_core.config.lr_schedule import learning_rate, split_epoch
from ueo_core.data.transforms import Views
from ueo_core.training.loop import ORDER, VIEW


def own_model(files) -> CLIP:
    config, weights = files
    model = CLIP(**json.loads(config.read_text(encoding="utf-8")))
    model.load_state_dict(load_file(weights))
    return model


def test_a_loop_by_hand_is_exact_and_leaves_the_users_model_alone(tiny_files):
    config, weights = tiny_files["resnet"]
    options = {"classes": CLASSES, "epochs": 2, "batch_size": 5, "lr": 0.05, "device": "cpu"}
    fitted = ueo.UEO(str(config), str(weights), progress=False, **options).fit(pixels(12))

    clip = own_model(tiny_files["resnet"])  # in training mode, every parameter trainable
    before = {k: v.clone() for k, v in clip.state_dict().items()}
    preprocess = {
        "size": 32,
        "mean": fitted.model_.backbone.preprocessing.mean,
        "std": fitted.model_.backbone.preprocessing.std,
    }
    adapted = ueo.adapt_clip(
        clip, open_clip.SimpleTokenizer(context_length=16), preprocess, CLASSES
    )
    images = open_images(pixels(12), adapted.backbone.store_side)
    views = Views(images.pixels, adapted.backbone)
    with torch.no_grad():
        everything = torch.cat(list(views.batches()))
        weights_of = ueo.confidence_weights(adapted(everything), adapted.logit_scale)
    optimizer = torch.optim.SGD(adapted.trainable_parameters(), lr=0.05)
    step = 0
    for epoch in range(2):
        order = np.random.default_rng([0, ORDER, epoch]).permutation(12)
        for size in split_epoch(12, 5):
            batch, order = order[:size], order[size:]
            view = views.training(batch, np.random.default_rng([0, VIEW, step]))
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, 12, fitted.settings_)
            logits = adapted.logit_scale * adapted(view)
            loss = ueo.ueo_loss(logits, weights_of[torch.from_numpy(batch)])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            assert abs(loss.item() - fitted.history_[step]["loss"]) < 1e-4
            step += 1
    for name, value in fitted.model_.adapter().items():
        torch.testing.assert_close(adapted.adapter()[name], value, atol=2e-5, rtol=1e-3)
    assert all(torch.equal(v, before[k]) for k, v in clip.state_dict().items())
    assert clip.training and all(p.requires_grad and p.grad is None for p in clip.parameters())
