"""The adapted model as ONNX, run by ONNX Runtime, against torch."""

import json

import numpy as np
import pytest
import torch

from tests.helpers.adapters import CLASSES, THRESHOLD, write_adapter
from tests.helpers.model_families import shrink_timm, shrunk, write_model
from ueo_core.evaluation.ood_scores import SCORES
from ueo_core.export.formats import MODELS
from ueo_core.export.onnx_model import OPSET, to_onnx
from ueo_core.inference.adapter_file import read_adapter_file
from ueo_core.inference.predict import cosines, load_model
from ueo_core.models import backbones
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.utils.errors import UserError

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")
runtime = pytest.importorskip("onnxruntime", reason="the package onnxruntime is not installed")

TOLERANCE = 1e-4  # of logits
# One of each kind of image tower; texts are only numbers in the file.
FAMILIES = [
    "RN50",
    "convnext_base_w",
    "swin_base_patch4_window7_224",
    "vit_relpos_medium_patch16_cls_224",
    "EVA02-B-16",
    "ViTamin-S",
    "PE-Core-B-16",
    "MobileCLIP-B",
    "MobileCLIP2-S3",
    "coca_ViT-B-32",
    "ViT-B-16-SigLIP2",
]


class Fitted:
    """Noise in a model's own size, so that the evaluation view is the image itself."""

    def __init__(self, model, n: int):
        g = np.random.default_rng(n)
        self.arrays = g.integers(0, 256, (n, *model.backbone.preprocessing.size, 3), dtype=np.uint8)

    def __len__(self) -> int:
        return len(self.arrays)

    def pixels(self, i: int) -> np.ndarray:
        return self.arrays[i]


def difference(data: bytes, model: AdaptedCLIP) -> float:
    """Largest difference of logits on 1, 2 and 5 images; the other outputs are compared here."""
    session, largest = runtime.InferenceSession(data), 0.0
    for n in (1, 2, 5):
        images = Fitted(model, n)
        expected = cosines(model, images)
        pixels = np.ascontiguousarray(images.arrays.transpose(0, 3, 1, 2))
        logits, proba, score = session.run(None, {"pixels": pixels})
        largest = max(largest, float(np.abs(logits - model.logit_scale * expected).max()))
        assert np.allclose(proba, torch.from_numpy(logits).softmax(1), atol=1e-6)
        mcm = SCORES["mcm"].compute(logits / model.logit_scale, model.logit_scale)
        assert np.allclose(score, mcm, atol=1e-6)
    return largest


@pytest.mark.parametrize("name", ["drawings-resnet", "drawings-vit"])
def test_a_teaching_model(name, tmp_path):
    model = write_adapter(tmp_path / "d.safetensors", name)
    MODELS["onnx"].write(tmp_path / "m.onnx", read_adapter_file(tmp_path / "d.safetensors"))
    data = (tmp_path / "m.onnx").read_bytes()
    assert difference(data, model) <= TOLERANCE
    model.reset()
    assert difference(data, model) > 0.1  # it is the adapted one


def test_a_model_from_a_config_file_and_what_the_file_says(tmp_path, tiny_files):
    for kind in ("vit", "resnet"):
        config, weights = map(str, tiny_files[kind])
        write_adapter(tmp_path / "d.safetensors", config, weights)
        adapter = read_adapter_file(tmp_path / "d.safetensors")
        data = MODELS["onnx"].content(adapter, "m.onnx")
        assert difference(data, load_model(adapter, "cpu")) <= TOLERANCE
    made = onnx.load_from_string(data)
    onnx.checker.check_model(made, full_check=True)
    assert [(o.domain, o.version) for o in made.opset_import] == [("", OPSET)]
    told = {p.key: json.loads(p.value) for p in made.metadata_props}
    assert (told["classes"], told["threshold"]) == (CLASSES, THRESHOLD)
    assert (told["image_size"], told["resize_mode"]) == (32, "shortest")
    assert [i.name for i in made.graph.input] == ["pixels"]
    assert [o.name for o in made.graph.output] == ["logits", "probabilities", "score"]


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family(name, tmp_path, monkeypatch):
    shrink_timm(monkeypatch)
    config, weights = write_model(tmp_path / "model", shrunk(name))
    model = AdaptedCLIP(backbones.load(str(config), str(weights), "cpu"), CLASSES)
    assert difference(to_onnx(model, {}), model) <= TOLERANCE


def test_bad_luck_is_one_sentence(tmp_path, monkeypatch):
    model = write_adapter(tmp_path / "d.safetensors", "drawings-resnet")
    adapter = read_adapter_file(tmp_path / "d.safetensors")
    out = tmp_path / "m.onnx"
    with monkeypatch.context() as m:
        m.setattr("ueo_core.export.onnx_model._MOST_BYTES", 10**6)
        with pytest.raises(UserError, match="drawings-resnet has 0.0 GB of weights"):
            MODELS["onnx"].write(out, adapter)
    with monkeypatch.context() as m:
        m.setattr("importlib.util.find_spec", lambda name: None)
        with pytest.raises(UserError, match="needs the package onnx.*pip install onnx"):
            MODELS["onnx"].write(out, adapter)

    def refuse(*_, **__):
        raise RuntimeError("Unsupported: aten::odd\nmore")

    with monkeypatch.context() as m:
        m.setattr("torch.onnx.export", refuse)
        with pytest.raises(UserError, match="cannot be written as ONNX .Unsupported: aten::odd"):
            to_onnx(model, {})
    assert not out.exists()
