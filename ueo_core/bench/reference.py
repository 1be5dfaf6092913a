"""The plain script that the benchmark compares with, written simply.

Stock open_clip in float32, every prompt at the tokenizer's full length, images decoded anew
each epoch, gradients for the adapted parameters only, losses by their formula. It shares no
code with the studio's own path, so that each checks the other (tests/bench/test_reference.py).
"""

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from torch import Tensor, nn
from torchvision import transforms

from ueo_core.models.backbones import Stock, random_stock, stock
from ueo_core.models.catalog import DRAWINGS
from ueo_core.models.tokenizers import prompt_length

EPSILON = 1e-5  # the released script's log(p + 1e-5)


def plain_loss(logits: Tensor, weights: Tensor) -> Tensor:
    """UEO, by its formula. logits (B, C), already scaled; weights (B,) → scalar"""
    p = logits.softmax(1)
    each = -(p * torch.log(p + EPSILON)).sum(1)
    inverse = 1 / weights
    mean = ((inverse / inverse.sum())[:, None] * p).sum(0)
    return (weights / weights.sum() * each).sum() + (mean * torch.log(mean + EPSILON)).sum()


class PlainCLIP:
    """CLIP with learnable context and affine parameters, straight from open_clip's own modules."""

    def __init__(self, built: Stock, classes: list[str], prompt: str, device: torch.device):
        self.model = built.model.to(device).eval().requires_grad_(False)
        tower = getattr(self.model, "text", self.model)
        self.tower = tower
        self.device = device
        texts = [f"{prompt} {name.replace('_', ' ')}." for name in classes]
        self.tokens = built.tokenizer(texts).to(device)  # (C, 77)
        m = prompt_length(built.tokenizer, prompt) - 2  # without start and end
        with torch.no_grad():
            embedded = tower.token_embedding(self.tokens)
        self.first, self.rest = embedded[:, :1], embedded[:, 1 + m :]
        self.context = embedded[0, 1 : 1 + m].clone().requires_grad_()
        norms = (nn.LayerNorm, nn.modules.batchnorm._BatchNorm)
        self.affine = [
            p
            for module in self.model.visual.modules()
            if isinstance(module, norms)
            for p in module.parameters()
        ]
        for p in self.affine:
            p.requires_grad_()
        self.optimizer = torch.optim.SGD([self.context, *self.affine], lr=1e-4)

    def text_features(self) -> Tensor:
        """Unit features of all prompts. → (C, D)"""
        context = self.context.expand(len(self.tokens), -1, -1)
        x = torch.cat([self.first, context, self.rest], 1) + self.tower.positional_embedding
        x = self.tower.ln_final(self.tower.transformer(x, attn_mask=self.tower.attn_mask))
        x = x[torch.arange(len(x)), self.tokens.argmax(1)] @ self.tower.text_projection
        return F.normalize(x, dim=-1)

    def logits(self, images: Tensor, text: Tensor) -> Tensor:
        """(B, 3, S, S) normalized, (C, D) → (B, C), scaled"""
        features = F.normalize(self.model.encode_image(images), dim=-1)
        return self.model.logit_scale.exp() * features @ text.T

    def step(self, images: Tensor, weights: Tensor) -> float:
        """One optimizer step. → the loss before it"""
        self.optimizer.zero_grad()
        loss = plain_loss(self.logits(images, self.text_features()), weights)
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())


def benchmark_stock(name: str, pretrained: str | None = None) -> Stock:
    """A teaching model or named weights as they are; another architecture without weights: random ones."""
    if pretrained is None and name not in DRAWINGS:
        return random_stock(name)
    return stock(name, pretrained)


class PlainViews(torch.utils.data.Dataset):
    """Images, from files decoded at every access or PIL images in memory, as training views."""

    def __init__(self, images: Sequence[Path | Image.Image], built: Stock, training: bool):
        self.images = images
        cfg = PreprocessCfg(**built.preprocess)
        self.transform = image_transform_v2(cfg, is_train=False)
        if training:
            bilinear = cfg.interpolation == "bilinear"
            self.transform = transforms.Compose(
                [
                    transforms.RandomResizedCrop(
                        cfg.size,
                        scale=(0.5, 1.0),
                        interpolation=transforms.InterpolationMode(
                            "bilinear" if bilinear else "bicubic"
                        ),
                    ),
                    transforms.RandomHorizontalFlip(),
                    transforms.ToTensor(),
                    transforms.Normalize(cfg.mean, cfg.std),
                ]
            )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        image = self.images[i]
        if isinstance(image, Path):
            with Image.open(image) as file:
                image = file.convert("RGB")
        return self.transform(image), i


def plain_adaptation(
    clip: PlainCLIP, built: Stock, files: list[Path], batch: int, epochs: int, workers: int
) -> Tensor:
    """Weights, `epochs` passes of training and the final predictions. → (N, C) logits"""

    def loader(training: bool):
        return torch.utils.data.DataLoader(
            PlainViews(files, built, training), batch, shuffle=training, num_workers=workers
        )

    @torch.no_grad()
    def predictions() -> Tensor:
        text = clip.text_features()
        return torch.cat([clip.logits(i.to(clip.device), text) for i, _ in loader(False)])

    weights = predictions().softmax(1).amax(1)
    for _ in range(epochs):
        for images, places in loader(True):
            clip.step(images.to(clip.device), weights[places.to(clip.device)])
    return predictions()
