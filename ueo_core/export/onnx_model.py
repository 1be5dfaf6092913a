"""The adapted model as ONNX: the image encoder, with the features of the class texts as weights."""

import importlib.util
import json
import tempfile
import warnings
from typing import TYPE_CHECKING

from ueo_core.inference.adapter_file import AdapterFile
from ueo_core.utils.errors import UserError

if TYPE_CHECKING:  # formats are listed before torch is loaded
    from torch import nn

    from ueo_core.models.adapted_clip import AdaptedCLIP

OPSET = 18
INPUT, OUTPUTS = "pixels", ("logits", "probabilities", "score")
_MOST_BYTES = 2 * 10**9  # ONNX is protobuf, and one file of that ends at 2 GiB


def onnx_model(adapter_file: AdapterFile) -> bytes:
    """The adapted model of a file as ONNX, see `to_onnx`. UserError where it cannot be written."""
    from ueo_core.inference.predict import load_model

    _check_installed()
    metadata = {
        "title": adapter_file.title,
        "threshold": adapter_file.threshold,
        "srgb": adapter_file.srgb,
    }
    return to_onnx(load_model(adapter_file, "cpu"), metadata)


def to_onnx(model: "AdaptedCLIP", about: dict) -> bytes:
    """A model on the CPU as ONNX, opset `OPSET`, for any number of images at once.

    Input `pixels`: uint8 (N, 3, H, W), upright RGB in the model's size; the normalization is inside.
    Outputs: `logits` (N, C), `probabilities` (N, C), `score` (N,), which is the OOD score MCM. The
    file's metadata has classes, size, resize mode, interpolation, and what `about` says.
    """
    import torch

    _check_installed()
    import onnx

    from ueo_core.models.checkpoint import brief

    graph = _graph(model)
    size = sum(v.nbytes for v in graph.state_dict().values())
    if size > _MOST_BYTES:
        raise UserError(
            f"Format onnx: {model.backbone.name} has {size / 1e9:.1f} GB of weights, and one ONNX file "
            "holds 2; use the adapter with the script instead."
        )
    pixels = torch.zeros(2, 3, *model.backbone.preprocessing.size, dtype=torch.uint8)
    try:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # that this exporter is the older one, and of tracing
            torch.onnx.export(
                graph,
                (pixels,),
                f"{folder}/model.onnx",
                input_names=[INPUT],
                output_names=list(OUTPUTS),
                dynamic_axes={name: {0: "N"} for name in (INPUT, *OUTPUTS)},
                opset_version=OPSET,
                # The newer one needs onnxscript as well, and takes many times as long.
                dynamo=False,
            )
            made = onnx.load(f"{folder}/model.onnx")
    except Exception as error:  # an operation that ONNX does not have ends in many kinds of errors
        raise UserError(
            f"Format onnx: {model.backbone.name} cannot be written as ONNX ({brief(error)}); use the "
            "adapter with the script instead."
        ) from error
    preprocessing = model.backbone.preprocessing.to_json()
    told = {"classes": model.classes, "logit_scale": model.logit_scale, **preprocessing, **about}
    onnx.helper.set_model_props(made, {k: json.dumps(v) for k, v in told.items()})
    return made.SerializeToString()


def _graph(model: "AdaptedCLIP") -> "nn.Module":
    import torch
    import torch.nn.functional as F

    class Graph(torch.nn.Module):
        text: torch.Tensor  # (C, D)
        mean: torch.Tensor
        std: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            own = model.backbone.preprocessing
            self.visual = model.visual
            self.register_buffer("text", model.encode_text().detach().clone())
            self.register_buffer("mean", 255 * torch.tensor(own.mean).view(1, 3, 1, 1))
            self.register_buffer("std", 255 * torch.tensor(own.std).view(1, 3, 1, 1))

        def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
            features = self.visual((pixels.float() - self.mean) / self.std).float()
            cosines = F.normalize(features, dim=-1) @ self.text.T
            logits = model.logit_scale * cosines
            return logits, logits.softmax(1), cosines.softmax(1).amax(1)

    return Graph().eval()


def _check_installed() -> None:
    if importlib.util.find_spec("onnx") is None:
        raise UserError(
            "Format onnx: it needs the package onnx, which is not installed; run `pip install onnx`."
        )
