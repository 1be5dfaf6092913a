"""Text features of many prompts: those of the plain tower, within bounded memory."""

from concurrent.futures import ThreadPoolExecutor

import open_clip
import pytest
import torch

from ueo_core.models import prompt_learner
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.models.text_encoder import TextEncoder
from ueo_core.utils.errors import UserError
from ueo_core.utils.memory import saved_bytes

# Of one to six words, so that there are several lengths, and not sorted by them.
CLASSES = ["grand piano", "dog", "wild_cat", "old red brick town house", "cat", "sea lion pup"]


def features_and_gradient(model, encode) -> tuple[torch.Tensor, torch.Tensor]:
    context = model.context.detach().clone().requires_grad_()
    features = encode(context)
    probe = torch.randn(features.shape, generator=torch.Generator().manual_seed(1))
    (features * probe).sum().backward()
    return features.detach(), context.grad


def plain(model):
    """The tower at full length with open_clip's own code."""
    own = model._prompts
    tokens = model.backbone.tokenizer([f"a photo of a {n.replace('_', ' ')}." for n in CLASSES])
    return lambda context: TextEncoder(model.backbone.model, own.span)(context, tokens)


def test_sharing_is_exact_in_features_and_gradient(tiny):
    model = AdaptedCLIP(tiny, CLASSES)
    assert model._prompts.shares and len(model._prompts._parts) > 3
    expected, gradient = features_and_gradient(model, plain(model))
    ours, own_gradient = features_and_gradient(model, model._prompts)
    torch.testing.assert_close(ours, expected, atol=3e-6, rtol=1e-5)
    torch.testing.assert_close(own_gradient, gradient, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("rows", [9, 2048])
def test_padded_prompts_are_exact_in_features_and_gradient(tiny, monkeypatch, rows):
    """As a GPU takes them: one part, or few, whatever the lengths."""
    plainly = AdaptedCLIP(tiny, CLASSES)
    expected, gradient = features_and_gradient(plainly, plain(plainly))
    monkeypatch.setattr(prompt_learner, "pads_prompts", lambda device: True)
    monkeypatch.setattr(prompt_learner, "ROWS_AT_ONCE", rows)
    model = AdaptedCLIP(tiny, CLASSES)
    assert (len(model._prompts._parts) == 1) == (rows == 2048)
    ours, own_gradient = features_and_gradient(model, model._prompts)
    torch.testing.assert_close(ours, expected, atol=3e-6, rtol=1e-5)
    torch.testing.assert_close(own_gradient, gradient, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("rows", [1, 5, 9])
def test_parts_change_nothing(tiny, monkeypatch, rows):
    model = AdaptedCLIP(tiny, CLASSES)
    expected, gradient = features_and_gradient(model, model._prompts)
    monkeypatch.setattr(prompt_learner, "ROWS_AT_ONCE", rows)
    split = AdaptedCLIP(tiny, CLASSES)
    assert len(split._prompts._parts) > len(model._prompts._parts) or rows == 9
    ours, own_gradient = features_and_gradient(split, split._prompts)
    torch.testing.assert_close(ours, expected, atol=3e-6, rtol=1e-5)
    torch.testing.assert_close(own_gradient, gradient, atol=2e-5, rtol=1e-4)


def test_activations_do_not_grow_with_the_class_list(tiny, monkeypatch):
    monkeypatch.setattr(prompt_learner, "ROWS_AT_ONCE", 64)
    held = [
        saved_bytes(lambda n=n: AdaptedCLIP(tiny, [f"dog {i:03d}" for i in range(n)]).encode_text())
        for n in (40, 400)
    ]
    per_class = 4 * 16 * 8  # of what is left: features and their normalization
    assert held[1] - held[0] < 360 * per_class * 4


def test_a_tower_without_a_causal_mask_is_computed_in_full(tiny):
    tiny.model.attn_mask = None  # every token attends to every other
    model = AdaptedCLIP(tiny, CLASSES)
    assert not model._prompts.shares
    tokens = tiny.tokenizer([f"a photo of a {n.replace('_', ' ')}." for n in CLASSES])
    expected = tiny.model.encode_text(tokens, normalize=True)
    torch.testing.assert_close(model.encode_text().detach(), expected, atol=3e-6, rtol=1e-5)


@pytest.mark.parametrize("rows", [1, 40])
def test_parts_of_whole_prompts_change_nothing(tiny, monkeypatch, rows):
    tiny.model.attn_mask = None
    model = AdaptedCLIP(tiny, CLASSES)
    expected, gradient = features_and_gradient(model, model._prompts)
    monkeypatch.setattr(prompt_learner, "ROWS_AT_ONCE", rows)
    split = AdaptedCLIP(tiny, CLASSES)
    ours, own_gradient = features_and_gradient(split, split._prompts)
    torch.testing.assert_close(ours, expected, atol=3e-6, rtol=1e-5)
    torch.testing.assert_close(own_gradient, gradient, atol=2e-5, rtol=1e-4)


class Backwards(open_clip.CLIP):
    """With something of its own at the end, which what is shared does not have."""

    def encode_text(self, text, normalize: bool = False):
        return super().encode_text(text, normalize).flip(-1)


def test_the_path_is_found_by_equality(tiny):
    assert tiny.text_path == "shared"
    tiny.model.__class__ = Backwards
    assert prompt_learner.find_text_path(tiny.model, tiny.tokenizer) == "full"


def test_texts_that_no_context_reaches_are_refused(tiny):
    whole = tiny.model.encode_text
    tiny.model.encode_text = lambda *args, **more: whole(*args, **more).flip(-1)  # of this object
    with pytest.raises(UserError, match="takes no context vectors"):
        prompt_learner.find_text_path(tiny.model, tiny.tokenizer)


def test_encoders_in_several_threads_do_not_disturb_each_other(tiny):
    tiny.model.attn_mask = None
    prompts = AdaptedCLIP(tiny, CLASSES)._prompts
    contexts = [torch.full_like(prompts.first_context, i / 8) for i in range(8)]
    with torch.no_grad():
        expected = [prompts(c) for c in contexts]
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(torch.no_grad()(prompts), contexts * 4))
    for ours, own in zip(found, expected * 4, strict=True):
        torch.testing.assert_close(ours, own)
