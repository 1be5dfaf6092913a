"""CLIP with the parameters that UEO trains: context vectors and normalization affine parameters."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from timm.layers import RmsNorm, RmsNorm2d, SimpleNorm, SimpleNorm2d
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ueo_core.models.backbones import Backbone
from ueo_core.models.class_texts import ClassTexts, encoders
from ueo_core.models.frozen_trunk import tail_of
from ueo_core.models.shared_copy import shared_copy
from ueo_core.utils.errors import UserError
from ueo_core.utils.files import write_bytes

CONTEXT = "context"  # name of the context vectors in an adapter

# With what is derived from them, as timm's norms for images and those with an activation are.
NORMALIZATION = (
    nn.LayerNorm,
    _BatchNorm,
    nn.GroupNorm,
    nn.RMSNorm,
    RmsNorm,
    RmsNorm2d,
    SimpleNorm,
    SimpleNorm2d,
)


def prompt_text(prompt: str, name: str) -> str:
    """The text for a class: "a photo of a" + "wild_cat" → "a photo of a wild cat."."""
    return f"{prompt} {name.replace('_', ' ')}."


def norm_affine(visual: nn.Module) -> dict[str, nn.Parameter]:
    """Weight and bias of every normalization layer of an image tower, by name. Not copied."""
    return {
        f"visual.{path}.{kind}" if path else f"visual.{kind}": value
        for path, module in visual.named_modules()
        if isinstance(module, NORMALIZATION)
        for kind in ("weight", "bias")
        if (value := getattr(module, kind, None)) is not None
    }


class AdaptedCLIP(nn.Module):
    """CLIP for a list of classes, with trainable context vectors and normalization parameters.

    It starts as the zero-shot model. The backbone is never changed: the image tower is a copy
    that shares the frozen weights, so any number of adapted models can use one backbone.

    Parameters that train (float32, everything else frozen, the network in eval mode):
    `context` (M, W), shared by all classes and initialized with the embeddings of the
    prompt's M tokens (those of `tokenizers.context_span`), and the weight and bias of every normalization layer of the image
    tower, found by type. Source: UEO's paper, Sec. 3; CoOp for the context vectors.

    Classes may have several names and templates, see `class_texts`: `templates` is the setting of that
    name, `synonyms` are further names by class.

    In quick mode only the affine parameters after the tower's last frozen point train, and
    `encode_image` takes the activations at that point (`CachedActivations`) instead of images. The
    adapter has the same format.
    """

    def __init__(
        self,
        backbone: Backbone,
        classes: list[str],
        prompt: str = "a photo of a",
        mode: str = "full",
        templates: str = "",
        synonyms: Mapping[str, Sequence[str]] | None = None,
    ):
        super().__init__()
        self.texts = ClassTexts(classes, prompt, templates, synonyms)
        self.texts.check_lengths(backbone)
        self.backbone = backbone
        self.classes = list(classes)
        self.prompt = prompt
        self.logit_scale = backbone.logit_scale
        visual = backbone.model.visual
        self.visual = shared_copy(visual, own=norm_affine(visual).values()).eval()
        if getattr(self.visual, "output_tokens", False):
            self.visual.output_tokens = False  # what CoCa's decoder reads; here, features alone
        self._prompts, self._mean = encoders(backbone, self.texts)
        self.context = nn.Parameter(self._prompts.first_context)  # (M, W), a float32 master
        self._affine = norm_affine(self.visual)
        self.tail = tail_of(self.visual) if mode == "quick" else None
        self.original = self.adapter_copy()

    @property
    def device(self) -> torch.device:
        return self.backbone.device

    def affine(self) -> dict[str, nn.Parameter]:
        """Weight and bias of every normalization layer of the image tower, by name."""
        return dict(self._affine)

    def select(self, trained: str) -> list[nn.Parameter]:
        """Set one of settings.TRAINED_PARTS to train and freeze the rest. → the trained parameters

        In quick mode, only the affine parameters after the last frozen point can train.
        """
        norms = self._affine
        if self.tail:
            after = {id(p) for norm in self.tail.norms for p in norm.parameters()}
            norms = {k: v for k, v in norms.items() if id(v) in after}
        if trained == "affine" and not norms:
            raise UserError(
                f"Quick mode: {self.backbone.name} has no normalization layer that it could train alone; "
                "train the prompt as well, or use the full mode."
            )
        self.context.requires_grad_(trained != "affine")
        for name, value in norms.items():
            named = any(part in name for part in ("bn", "ln"))
            value.requires_grad_(trained != "prompt" and (named or trained != "as-released"))
        return [p for p in (self.context, *norms.values()) if p.requires_grad]

    def trainable_parameters(self) -> list[nn.Parameter]:
        """Context vectors and normalization affine parameters, all of them set to train."""
        return self.select("both")

    def forward(self, images: Tensor) -> Tensor:
        """Cosines of images with every class. (B, 3, S, S) normalized → (B, C)

        Times `logit_scale` these are CLIP's logits.
        """
        return self.cosines(self.encode_image(images))

    def cosines(self, features: Tensor, text: Tensor | None = None) -> Tensor:
        """Cosines of unit image features, on any device, with every class. (N, D) → (N, C)

        text: (C, D) features from `encode_text`, where they have been computed before.
        """
        text = self.encode_text() if text is None else text
        return features @ text.to(features.device).T

    def tower(self, images: Tensor) -> Tensor:
        """Features without normalization. (B, 3, S, S), or cached activations → (B, D)"""
        return self.tail(images) if self.tail else self.visual(images)

    def encode_image(self, images: Tensor) -> Tensor:
        """Unit features of normalized images. (B, 3, S, S), or cached activations → (B, D)"""
        return F.normalize(self.tower(images).float(), dim=-1)

    def encode_text(self) -> Tensor:
        """Unit features of all classes with the current context. → (C, D)"""
        features = F.normalize(self._prompts(self.context).float(), dim=-1)
        return features if self._mean is None else self._mean(features)

    @torch.no_grad()
    def encode_words(self, words: Sequence[str]) -> Tensor:
        """Unit features of words that are no classes, in the classes' texts and context. → (K, D)"""
        texts = self.texts.negative(words, self.backbone)
        prompts, mean = encoders(self.backbone, texts, self._prompts.span)
        features = F.normalize(prompts(self.context).float(), dim=-1)
        return features if mean is None else mean(features)

    def adapter(self) -> dict[str, Tensor]:
        """The parameters that training can change, by name: all that is saved. Not copied."""
        return {CONTEXT: self.context.data} | {k: v.data for k, v in self._affine.items()}

    def adapter_copy(self) -> dict[str, Tensor]:
        """A copy of `adapter()`."""
        return {k: v.detach().clone() for k, v in self.adapter().items()}

    @torch.no_grad()
    def load_adapter(self, adapter: dict[str, Tensor]) -> None:
        """Copy an adapter into the model; UserError when its names or shapes do not fit."""
        own = self.adapter()
        wrong = set(own.keys() ^ adapter.keys())
        wrong |= {k for k in own.keys() & adapter.keys() if own[k].shape != adapter[k].shape}
        if wrong:
            raise UserError(
                f"Adapter: “{sorted(wrong)[0]}” does not fit {self.backbone.name}; "
                "use the backbone and the prompt it was made with."
            )
        for name, value in own.items():
            value.copy_(adapter[name])

    def between(self, share: float, end: dict[str, Tensor]) -> dict[str, Tensor]:
        """The adapter of a blend of the zero-shot model (share 0) and the adapter `end` (share 1)."""
        start = self.original
        return {k: start[k] + share * (v - start[k]) for k, v in end.items()}

    def load_between(self, share: float, end: dict[str, Tensor]) -> None:
        """Load a blend of the zero-shot model (share 0) and the adapter `end` (share 1)."""
        self.load_adapter(self.between(share, end))

    def reset(self) -> None:
        """Restore the zero-shot model."""
        self.load_adapter(self.original)

    def change(self) -> float:
        """Relative change ‖v − v₀‖ / ‖v₀‖ of all adapted parameters together."""
        pairs = [(v, self.original[k]) for k, v in self.adapter().items()]
        moved = sum(float((v - start).square().sum()) for v, start in pairs)
        return (moved / max(1e-12, sum(float(s.square().sum()) for _, s in pairs))) ** 0.5

    def change_by_layer(self) -> dict[str, float]:
        """Relative change ‖v − v₀‖ / ‖v₀‖ of the context and of each layer's affine pair."""
        squares: dict[str, list[float]] = {}
        for name, value in self.adapter().items():
            layer = name if name == CONTEXT else name.removeprefix("visual.").rpartition(".")[0]
            start = self.original[name]
            moved, size = squares.setdefault(layer, [0.0, 0.0])
            squares[layer] = [
                moved + float((value - start).square().sum()),
                size + float(start.square().sum()),
            ]
        return {k: (moved / max(size, 1e-12)) ** 0.5 for k, (moved, size) in squares.items()}


def save_adapter(path: Path, adapter: dict[str, Tensor], metadata: dict) -> None:
    """Write an adapter as safetensors, atomically; metadata values are stored as JSON."""
    tensors = {k: v.detach().float().cpu().contiguous() for k, v in adapter.items()}
    data = save(tensors, metadata={k: json.dumps(v) for k, v in metadata.items()})
    write_bytes(path, data)


def read_adapter(path: Path) -> tuple[dict[str, Tensor], dict]:
    """Read an adapter and its metadata; UserError when the file is not readable."""
    try:
        with safe_open(path, "pt") as file:
            metadata = {k: json.loads(v) for k, v in (file.metadata() or {}).items()}
            return {k: file.get_tensor(k) for k in file.keys()}, metadata  # noqa: SIM118 (no dict)
    except FileNotFoundError:
        raise UserError(f"Adapter “{path}”: there is no such file; check the path.") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(
            f"Adapter “{path}”: it is not readable ({error}); export it again."
        ) from None
