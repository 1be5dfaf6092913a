"""The adapted model: parameter counts, exact encoding, saving an adapter, names that do not fit."""

import pytest
import torch
from torch import nn

from ueo_core.models import backbones
from ueo_core.models.adapted_clip import (
    CONTEXT,
    AdaptedCLIP,
    norm_affine,
    prompt_text,
    read_adapter,
    save_adapter,
)
from ueo_core.utils.errors import UserError

CLASSES = ["dog", "wild_cat", "grand piano"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "layers", "scalars", "missed"),
    [("RN50-quickgelu", 55, 53_248, 7_680), ("ViT-B-16-quickgelu", 26, 39_936, 0)],
)
def test_real_architectures_have_the_papers_parameter_counts(
    name, layers, scalars, missed, real_checkpoint
):
    backbone = backbones.load(name, str(real_checkpoint(name)), "cpu")
    model = AdaptedCLIP(backbone, ["dog", "cat"])
    assert len(model.affine()) == 2 * layers
    assert sum(p.numel() for p in model.affine().values()) == scalars
    assert model.context.shape == (4, 512)
    trained = sum(p.numel() for p in model.select("both"))
    assert trained == scalars + 4 * 512
    assert sum(p.requires_grad for p in model.visual.parameters()) == 2 * layers
    assert not any(p.requires_grad for p in backbone.model.parameters())
    assert trained - sum(p.numel() for p in model.select("as-released")) == missed
    images = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        ours, own = model.encode_image(images), backbone.model.encode_image(images, normalize=True)
        texts = backbone.tokenizer([prompt_text("a photo of a", n) for n in model.classes])
        text = backbone.model.encode_text(texts, normalize=True)
    torch.testing.assert_close(ours, own, atol=2e-5, rtol=0)
    torch.testing.assert_close(model.encode_text().detach(), text, atol=2e-5, rtol=0)


def test_zero_shot_encoding_equals_open_clips_own(tiny):
    model = AdaptedCLIP(tiny, CLASSES)
    texts = tiny.tokenizer([prompt_text("a photo of a", n) for n in CLASSES])
    expected = tiny.model.encode_text(texts, normalize=True)
    torch.testing.assert_close(model.encode_text().detach(), expected, atol=2e-6, rtol=0)


def test_truncated_text_has_the_gradient_of_the_full_length(tiny):
    model = AdaptedCLIP(tiny, CLASSES)
    model.context.requires_grad_(True)
    probe = torch.randn(3, 16, generator=torch.Generator().manual_seed(1))
    (model.encode_text() * probe).sum().backward()
    short = model.context.grad.clone()
    # The same context, spelled out over all 16 positions with open_clip's own text tower.
    tower = tiny.model
    tokens = tiny.tokenizer([prompt_text("a photo of a", n) for n in CLASSES])
    context = model.context.detach().clone().requires_grad_(True)
    embedded = tower.token_embedding(tokens)
    x = torch.cat([embedded[:, :1], context.expand(3, -1, -1), embedded[:, 5:]], 1)
    x = tower.transformer(x + tower.positional_embedding, attn_mask=tower.attn_mask)
    x = tower.ln_final(x)[torch.arange(3), tokens.argmax(1)] @ tower.text_projection
    (nn.functional.normalize(x, dim=-1) * probe).sum().backward()
    torch.testing.assert_close(short, context.grad, atol=2e-5, rtol=1e-4)


def test_only_context_and_norms_train(tiny):
    model = AdaptedCLIP(tiny, CLASSES)
    norms = [m for m in model.visual.modules() if isinstance(m, nn.LayerNorm | nn.BatchNorm2d)]
    expected = {id(p) for m in norms for p in (m.weight, m.bias)}
    assert {id(p) for p in model.select("affine")} == expected
    assert {id(p) for p in model.select("both")} == expected | {id(model.context)}
    assert model.select("prompt") == [model.context]
    assert not any(p.requires_grad for p in tiny.model.parameters())


def stepped(model: AdaptedCLIP, seed: int) -> None:
    """One large step of every trained parameter, in a direction that the seed draws."""
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(seed))
    for value in model.trainable_parameters():
        value.grad = None
    model(images).square().sum().backward()
    with torch.no_grad():
        for value in model.trainable_parameters():
            value -= 0.5 * value.grad


def test_models_of_one_backbone_do_not_disturb_each_other(tiny):
    before = {k: v.clone() for k, v in tiny.model.state_dict().items()}
    alone = []
    for seed in (1, 2):
        model = AdaptedCLIP(tiny, CLASSES)
        stepped(model, seed)
        stepped(model, seed + 10)
        alone.append(model.adapter_copy())
    first, second = AdaptedCLIP(tiny, CLASSES), AdaptedCLIP(tiny, CLASSES)
    for offset in (0, 10):
        stepped(first, 1 + offset)
        stepped(second, 2 + offset)
    for model, expected in zip((first, second), alone, strict=True):
        assert model.change() > 0
        assert all(torch.equal(v, expected[k]) for k, v in model.adapter().items())
    assert AdaptedCLIP(tiny, CLASSES[:2]).change() == 0
    assert all(torch.equal(v, before[k]) for k, v in tiny.model.state_dict().items())
    assert not any(p.requires_grad for p in tiny.model.parameters())


def test_frozen_weights_are_shared_and_forward_gives_the_cosines(tiny):
    model = AdaptedCLIP(tiny, CLASSES)
    there = {p.data_ptr() for p in tiny.model.visual.parameters()}
    own = {p.data_ptr() for p in model.affine().values()}
    assert {p.data_ptr() for p in model.visual.parameters()} - there == own
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = tiny.model.encode_image(images, normalize=True) @ model.encode_text().T
        torch.testing.assert_close(model(images), expected, atol=2e-6, rtol=0)


def test_an_adapter_is_saved_and_loaded_and_reset_undoes_it(tiny, tmp_path):
    model = AdaptedCLIP(tiny, CLASSES)
    before = {k: v.clone() for k, v in model.adapter().items()}
    for value in model.adapter().values():
        value.add_(0.25)
    changed = {k: v.clone() for k, v in model.adapter().items()}
    save_adapter(tmp_path / "d.safetensors", model.adapter(), {"classes": CLASSES})
    model.reset()
    for name, value in model.adapter().items():
        assert torch.equal(value, before[name])
    adapter, metadata = read_adapter(tmp_path / "d.safetensors")
    model.load_adapter(adapter)
    assert metadata == {"classes": CLASSES}
    for name, value in model.adapter().items():
        assert torch.equal(value, changed[name])
    assert all(c > 0 for c in model.change_by_layer().values())


def test_an_adapter_of_another_model_is_an_error(tiny):
    model = AdaptedCLIP(tiny, CLASSES)
    with pytest.raises(UserError, match=CONTEXT):
        model.load_adapter({k: v for k, v in model.adapter().items() if k != CONTEXT})


def test_a_file_that_is_not_an_adapter_is_an_error(tmp_path):
    (tmp_path / "d.safetensors").write_bytes(b"not a tensor")
    with pytest.raises(UserError, match="not readable"):
        read_adapter(tmp_path / "d.safetensors")
    with pytest.raises(UserError, match="no such file"):
        read_adapter(tmp_path / "none.safetensors")


def test_a_class_name_that_is_too_long_is_an_error(tiny):
    # 16 positions: start, "a photo of a", the name, ".", end; ten words are too many.
    AdaptedCLIP(tiny, ["dog dog dog dog dog dog dog dog dog", "cat"])
    with pytest.raises(UserError, match=r"dog dog.*17 tokens.*reads at most 16"):
        AdaptedCLIP(tiny, ["dog dog dog dog dog dog dog dog dog dog", "cat"])


def test_as_released_leaves_out_the_norms_that_the_script_misses(tiny):
    model = AdaptedCLIP(tiny, CLASSES)
    model.select("as-released")
    left = {n for n, p in model.affine().items() if not p.requires_grad}
    assert left == {n for n in model.affine() if "downsample" in n}
    assert model.context.requires_grad


def test_the_text_for_a_class():
    assert prompt_text("a photo of a", "grand_old_piano") == "a photo of a grand old piano."


def test_a_model_keeps_what_it_was_made_with(tiny):
    model = AdaptedCLIP(tiny, CLASSES)
    assert (model.classes, model.prompt) == (CLASSES, "a photo of a")
    assert model.logit_scale == tiny.logit_scale and model.device == tiny.device
    assert model.tail is None
    assert AdaptedCLIP(tiny, CLASSES, "a sketch of a").prompt == "a sketch of a"


def test_the_names_of_an_adapter_are_those_of_the_tower(tiny):
    """They are in every saved file: another name would make all files unreadable."""
    state = {f"visual.{name}" for name in tiny.model.visual.state_dict()}
    names = set(AdaptedCLIP(tiny, CLASSES).affine())
    assert names < state and {name.rpartition(".")[2] for name in names} == {"weight", "bias"}
    assert set(norm_affine(nn.LayerNorm(3))) == {"visual.weight", "visual.bias"}


def test_all_parameters_train_unless_chosen(tiny):
    model = AdaptedCLIP(tiny, CLASSES)
    assert {id(p) for p in model.trainable_parameters()} == {
        id(model.context),
        *(id(p) for p in model.affine().values()),
    }
    model.select("prompt")
    assert not any(p.requires_grad for p in model.affine().values())


def test_text_features_that_are_given_are_used(tiny):
    model = AdaptedCLIP(tiny, CLASSES)
    features, text = torch.eye(16)[:2], torch.eye(16)[:3] * 0.5
    assert torch.equal(model.cosines(features, text), features @ text.T)
    with torch.no_grad():
        torch.testing.assert_close(model.cosines(features), features @ model.encode_text().T)


def test_a_blend_lies_between_zero_shot_and_the_adapter(tiny):
    model = AdaptedCLIP(tiny, CLASSES)
    end = {k: v + 2.0 for k, v in model.original.items()}
    for share in (0.0, 0.25, 1.0):
        model.load_between(share, end)
        for name, value in model.adapter().items():
            torch.testing.assert_close(value, model.original[name] + 2 * share)


def test_change_is_relative_to_the_size_of_all_parameters(tiny):
    model = AdaptedCLIP(tiny, CLASSES)
    assert model.change() == 0
    for value in model.adapter().values():
        value.mul_(1.5)
    assert model.change() == pytest.approx(0.5, rel=1e-5)
    layers = model.change_by_layer()
    assert all(c == pytest.approx(0.5, rel=1e-5) for c in layers.values())
    assert set(layers) == {CONTEXT} | {
        name.removeprefix("visual.").removesuffix(".weight")
        for name in model.affine()
        if name.endswith(".weight")
    }
    model.reset()
    model.context.data.add_(1.0)
    assert [name for name, c in model.change_by_layer().items() if c] == [CONTEXT]
    size = sum(float(v.double().square().sum()) for v in model.original.values()) ** 0.5
    assert model.change() == pytest.approx(model.context.numel() ** 0.5 / size, rel=1e-5)


def test_in_quick_mode_only_the_last_layers_train(tiny):
    model = AdaptedCLIP(tiny, CLASSES, mode="quick")
    after = {id(p) for norm in model.tail.norms for p in norm.parameters()}
    own = {name for name, p in model.affine().items() if id(p) in after}
    assert own < set(model.affine())
    assert {id(p) for p in model.select("both")} == {id(model.context)} | {
        id(model.affine()[name]) for name in own
    }
    if own:
        assert {id(p) for p in model.select("affine")} == {id(model.affine()[n]) for n in own}
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = model.tower(model.tail.head(images))
        torch.testing.assert_close(found, tiny.model.visual(images), atol=2e-6, rtol=0)
