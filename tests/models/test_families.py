"""Every family of models, shrunk: features equal open_clip's own, and what trains gets a gradient."""

import importlib.util

import open_clip
import pytest
import torch

from tests.helpers.model_families import shrink_timm, shrunk, write_model
from ueo_core.models import backbones
from ueo_core.models.adapted_clip import AdaptedCLIP, prompt_text, read_adapter, save_adapter

CLASSES = ["dog", "grand piano", "sea lion", "old red brick town house"]

needs_transformers = pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None, reason="transformers is not installed"
)


def family(name: str, path: str):
    """A parameter: a model of the family and the text path that it must take."""
    text = shrunk(name)["text_cfg"]
    marks = [needs_transformers] if text.get("hf_tokenizer_name") else []
    return pytest.param(name, path, marks=marks, id=name)


FAMILIES = [
    family("ViT-B-16-quickgelu", "shared"),
    family("RN50", "shared"),
    family("convnext_base_w", "shared"),
    family("swin_base_patch4_window7_224", "shared"),
    family("vit_relpos_medium_patch16_cls_224", "shared"),
    family("vit_medium_patch16_gap_256", "shared"),
    family("EVA01-g-14", "shared"),
    family("EVA02-B-16", "shared"),
    family("EVA02-E-14", "shared"),
    family("ViTamin-S", "shared"),
    family("ViTamin-XL-256", "shared"),
    family("PE-Core-B-16", "shared"),
    family("MobileCLIP-B", "shared"),
    family("MobileCLIP2-L-14", "full"),
    family("MobileCLIP-S1", "full"),
    family("MobileCLIP2-S3", "full"),
    family("coca_ViT-B-32", "full"),
    family("coca_roberta-ViT-B-32", "trimmed"),
    family("ViT-B-16-SigLIP", "full"),
    family("ViT-B-16-SigLIP2", "full"),
    family("ViT-gopt-16-SigLIP2-256", "full"),
    family("ViT-SO400M-16-SigLIP-i18n-256", "full"),
    family("ViT-L-14-CLIPA", "full"),
    family("ViT-H-14-worldwide-quickgelu", "shared"),
    family("ViT-L-14-worldwide", "shared"),
    family("roberta-ViT-B-32", "trimmed"),
    family("xlm-roberta-base-ViT-B-32", "trimmed"),
    family("mt5-base-ViT-B-32", "trimmed"),
    family("nllb-clip-base", "trimmed"),
    family("nllb-clip-base-siglip", "trimmed"),
]


@pytest.mark.parametrize(("name", "path"), FAMILIES)
def test_a_family(name, path, tmp_path, monkeypatch):
    shrink_timm(monkeypatch)
    config, weights = write_model(tmp_path / "model", shrunk(name))
    backbone = backbones.load(str(config), str(weights), "cpu")
    plain = backbones.stock(str(config), str(weights)).model.eval()
    model = AdaptedCLIP(backbone, CLASSES)
    assert backbone.text_path == path
    g = torch.Generator().manual_seed(1)
    images = torch.randn(3, 3, *backbone.preprocessing.size, generator=g)
    texts = backbone.tokenizer([prompt_text("a photo of a", n) for n in CLASSES])
    with torch.no_grad():
        image = torch.nn.functional.normalize(plain.encode_image(images, normalize=False), dim=-1)
        text = torch.nn.functional.normalize(plain.encode_text(texts, normalize=False), dim=-1)
        torch.testing.assert_close(model.encode_image(images), image, atol=1e-5, rtol=0)
        torch.testing.assert_close(model.encode_text(), text, atol=1e-5, rtol=0)
        assert text.std(0).max() > 1e-4  # the classes are told apart

    # One step of the method: everything that trains gets a gradient, and nothing else changes.
    frozen = {k: v.clone() for k, v in backbone.model.state_dict().items()}
    trained = model.select("both")
    assert trained[0] is model.context and len(model.context) > 0
    loss = (model(images).softmax(1) * torch.randn(3, 4, generator=g)).sum()
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in trained)
    assert model.context.grad.abs().sum() > 0
    reached = [float(p.grad.abs().sum()) > 0 for p in trained[1:]]
    assert sum(reached) >= 0.9 * len(reached)
    torch.optim.SGD(trained, lr=1.0).step()
    assert all(torch.equal(v, frozen[k]) for k, v in backbone.model.state_dict().items())

    with torch.no_grad():
        moved = model(images)
        assert not torch.equal(moved, image @ text.T)
        save_adapter(tmp_path / "a.safetensors", model.adapter(), {})
        other = AdaptedCLIP(backbone, CLASSES)
        other.load_adapter(read_adapter(tmp_path / "a.safetensors")[0])
        torch.testing.assert_close(other(images), moved, atol=1e-6, rtol=0)

        quick = AdaptedCLIP(backbone, CLASSES, mode="quick")
        found = torch.nn.functional.normalize(quick.tower(quick.tail.head(images)), dim=-1)
        torch.testing.assert_close(found, image, atol=1e-5, rtol=0)


@needs_transformers
def test_a_listed_model_from_a_local_folder(tmp_path, monkeypatch):
    """Weights, tokenizer and the config of the text encoder lie in one folder; nothing is asked of a hub."""
    cfg = shrunk("roberta-ViT-B-32")
    config, weights = write_model(tmp_path / "model", cfg)
    monkeypatch.setattr(open_clip.factory, "_MODEL_CONFIGS", {"listed": cfg})
    backbone = backbones.load("listed", str(weights), "cpu")
    expected = backbones.load(str(config), str(weights), "cpu")
    assert backbone.architecture is None and backbone.fingerprint == expected.fingerprint
    ours, own = (AdaptedCLIP(b, CLASSES).encode_text() for b in (backbone, expected))
    assert torch.equal(ours, own)


def test_a_config_of_transformers_beside_a_clip_is_not_its_text_encoder(tmp_path):
    config, weights = write_model(tmp_path, shrunk("ViT-B-16-quickgelu"))
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    assert backbones.load(str(config), str(weights), "cpu").text_path == "shared"
