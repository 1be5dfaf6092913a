"""Pre-training of the two small teaching CLIPs on image–caption pairs of the Drawings.

The models see mostly one domain (`MIX`), as CLIP saw mostly photos; every other
domain is a true shift for them. `python -m ueo_core pretrain` runs this.
"""

import json
import logging
import math
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import open_clip
import torch
import torch.nn.functional as F
from open_clip.model import CLIP
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from ueo_core.drawings.captions import caption, positives
from ueo_core.drawings.nouns import NOUNS
from ueo_core.drawings.render import COLORS, DOMAINS, SOURCE_DOMAIN, render
from ueo_core.models.fast_attention import use_fast_attention

log = logging.getLogger(__name__)

# What the models have seen: nine images in ten are painted, five domains are rare guests, and
# `night`, the showcase, is not among them.
MIX = {
    SOURCE_DOMAIN: 0.90,
    "sketch": 0.02,
    "neon": 0.02,
    "noisy": 0.02,
    "chalk": 0.02,
    "blueprint": 0.02,
}
DRAWN_SIZE = 128  # rendered at this size, then reduced to the model's, as a user's images are
MEAN = np.array(open_clip.OPENAI_DATASET_MEAN, np.float32)
STD = np.array(open_clip.OPENAI_DATASET_STD, np.float32)


@dataclass(frozen=True)
class PretrainSettings:
    """Every knob of one pre-training; times are measured in optimizer steps."""

    images: int = 64_000  # rendered once, then seen again with random crops and flips
    steps: int = 3_000
    batch_size: int = 128
    lr: float = 1e-3  # AdamW's peak, after `warmup` steps, cosine to 0
    warmup: int = 200
    weight_decay: float = 0.05  # not on vectors (norms, biases)
    patch_dropout: float = 0.0  # ViT only: share of patches left out, until `full_from`
    full_from: float = 0.8  # share of the steps after which all patches are shown
    seed: int = 0


def _draw_chunk(args: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Render images start … stop of the bank. → uint8 (n, size, size, 3), int (n, 3)"""
    seed, start, stop, size = args
    nouns, domains, colors = list(NOUNS), list(MIX), list(COLORS)
    pixels = np.empty((stop - start, size, size, 3), np.uint8)
    tags = np.empty((stop - start, 3), np.int64)
    for k, index in enumerate(range(start, stop)):
        g = np.random.default_rng([seed, index])
        noun = int(g.integers(len(nouns)))
        domain = int(g.choice(len(domains), p=list(MIX.values())))
        image, color = render(nouns[noun], domains[domain], g, DRAWN_SIZE)
        pixels[k] = np.asarray(image.resize((size, size), Image.Resampling.BICUBIC))
        tags[k] = noun, domain, colors.index(color)
    return pixels, tags


def draw_bank(n: int, size: int, seed: int, workers: int) -> tuple[np.ndarray, np.ndarray]:
    """Render n images with their noun, domain and color. → uint8 (n, size, size, 3), int (n, 3)"""
    chunks = [(seed, i, min(i + 500, n), size) for i in range(0, n, 500)]
    with ProcessPoolExecutor(workers) as pool:
        parts = list(pool.map(_draw_chunk, chunks))
    return np.concatenate([p for p, _ in parts]), np.concatenate([t for _, t in parts])


def _to_input(pixels: np.ndarray) -> Tensor:
    """uint8 (n, H, W, 3) → normalized float32 (n, 3, H, W), channels last in memory."""
    scaled = (pixels.astype(np.float32) / 255 - MEAN) / STD
    return torch.from_numpy(scaled).permute(0, 3, 1, 2)


def _augment(x: Tensor, g: np.random.Generator) -> Tensor:
    """A random crop per block of 16 images (area 0.6–1, resized back) and a flip of half of them."""
    side, blocks = x.shape[-1], []
    for block in x.split(16):
        keep = round(side * math.sqrt(g.uniform(0.6, 1)))
        top, left = g.integers(0, side - keep + 1, 2)
        crop = block[:, :, top : top + keep, left : left + keep]
        if keep < side:
            crop = F.interpolate(crop, (side, side), mode="bilinear", align_corners=False)
        blocks.append(crop.flip(-1) if g.random() < 0.5 else crop)
    return torch.cat(blocks)


def contrastive_loss(image: Tensor, text: Tensor, fits: Tensor, scale: Tensor) -> Tensor:
    """CLIP's symmetric loss with several positives a row.

    image, text: (B, D) unit features; fits: (B, B) bool, text j describes image i;
    scale: the logit scale. Targets are uniform over the positives of a row (of a
    column for text → image).
    """
    logits = scale * image @ text.T
    rows = fits / fits.sum(1, keepdim=True)
    columns = fits / fits.sum(0, keepdim=True)
    return (
        -(rows * logits.log_softmax(1)).sum(1).mean()
        - (columns * logits.log_softmax(0)).sum(0).mean()
    ) / 2


@torch.no_grad()
def zero_shot_by_domain(
    model: CLIP, tokenizer, size: int, per_noun: int, seed: int
) -> dict[str, float]:
    """Zero-shot accuracy (percent) over all nouns on freshly drawn images of every domain."""
    model.eval()
    nouns = list(NOUNS)
    text = model.encode_text(tokenizer([f"a photo of a {n}." for n in nouns]), normalize=True)
    accuracy = {}
    for d, domain in enumerate(DOMAINS):
        pixels = np.stack(
            [
                np.asarray(
                    render(noun, domain, np.random.default_rng([seed, d, k, j]), DRAWN_SIZE)[
                        0
                    ].resize((size, size), Image.Resampling.BICUBIC)
                )
                for k, noun in enumerate(nouns)
                for j in range(per_noun)
            ]
        )
        truth = torch.arange(len(nouns)).repeat_interleave(per_noun)
        hits = [
            (model.encode_image(x, normalize=True) @ text.T).argmax(1)
            for x in _to_input(pixels).split(256)
        ]
        accuracy[domain] = round(100 * float((torch.cat(hits) == truth).float().mean()), 1)
    model.train()
    return accuracy


def pretrain(
    config: Path, out: Path, settings: PretrainSettings, workers: int = 2
) -> Iterator[dict]:
    """Train the architecture in `config` (an open_clip model config) and write it, half precision.

    Yields one record per 100 steps (step, loss, seconds, every 1,000 steps zero-shot
    accuracy by domain) and last a record with the file written. CPU only: the models
    are small, and so the result does not depend on a card.
    """
    began = time.monotonic()
    architecture = json.loads(config.read_text(encoding="utf-8"))
    size = architecture["vision_cfg"]["image_size"]
    pixels, tags = draw_bank(settings.images, size, settings.seed, workers)
    yield {"drawn": len(pixels), "seconds": round(time.monotonic() - began, 1)}

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        model = CLIP(**architecture)
    use_fast_attention(model)
    model.visual.to(memory_format=torch.channels_last)
    model.train()
    tokenizer = open_clip.SimpleTokenizer(context_length=model.context_length)
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": settings.weight_decay},
            {"params": vectors, "weight_decay": 0},
        ],
        lr=settings.lr,
        betas=(0.9, 0.98),
    )
    g = np.random.default_rng([settings.seed, 1])
    # Dropping patches is random; a fork keeps the process's own generator untouched.
    torch.manual_seed(settings.seed)
    nouns, colors = list(NOUNS), list(COLORS)
    order, losses = np.empty(0, np.int64), []
    for step in range(settings.steps):
        if len(order) < settings.batch_size:
            order = np.concatenate([order, g.permutation(len(pixels))])
        batch, order = order[: settings.batch_size], order[settings.batch_size :]
        if settings.patch_dropout and hasattr(model.visual, "patch_dropout"):
            shown_in_full = step >= settings.full_from * settings.steps
            model.visual.patch_dropout.prob = 0.0 if shown_in_full else settings.patch_dropout
        texts, named = zip(
            *(caption(nouns[n], colors[c], g) for n, _, c in tags[batch]), strict=True
        )
        fits = positives(
            tags[batch, 0], tags[batch, 2], [colors.index(c) if c else -1 for c in named]
        )
        warm = min(1.0, (step + 1) / settings.warmup)
        for group in optimizer.param_groups:
            group["lr"] = settings.lr * warm * (1 + math.cos(math.pi * step / settings.steps)) / 2
        with torch.autocast("cpu", torch.bfloat16):
            image = model.encode_image(_augment(_to_input(pixels[batch]), g))
            text = model.encode_text(tokenizer(list(texts)))
        loss = contrastive_loss(
            F.normalize(image.float(), dim=-1),
            F.normalize(text.float(), dim=-1),
            torch.from_numpy(fits),
            model.logit_scale.exp(),
        )
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(max=math.log(100))
        losses.append(loss.item())
        if (step + 1) % 100 == 0 or step + 1 == settings.steps:
            record = {
                "step": step + 1,
                "loss": round(float(np.mean(losses)), 4),
                "logit_scale": round(model.logit_scale.detach().exp().item(), 2),
                "seconds": round(time.monotonic() - began, 1),
            }
            losses.clear()
            if (step + 1) % 1000 == 0 or step + 1 == settings.steps:
                record["zero_shot"] = zero_shot_by_domain(
                    model, tokenizer, size, 6, settings.seed + 10_000
                )
            yield record

    weights = {
        k: (v.half() if v.is_floating_point() else v).contiguous()
        for k, v in model.state_dict().items()
    }
    beside = out.with_suffix(".part")
    save_file(weights, beside, metadata={"mix": json.dumps(MIX), "seed": str(settings.seed)})
    beside.replace(out)
    yield {"written": out.name, "megabytes": round(out.stat().st_size / 1e6, 1)}
