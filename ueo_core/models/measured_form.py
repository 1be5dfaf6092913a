"""The number format and the memory layout in which an image tower is fastest, measured on that tower.

The processor's flags do not tell it: bfloat16 made a tower of depthwise convolutions eight times slower
where it had no such kernel, and towers of timm, which run channels first, gained a quarter from channels
last. A run measures once and keeps the answer, so that it goes on as it began.
"""

import time
from typing import Any

import torch
from torch import Tensor, nn

from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.models.catalog import DRAWINGS
from ueo_core.models.equality import random_image
from ueo_core.utils.precision import multiplies_bfloat16, tower_autocast

IMAGES = 2
SECONDS = 0.5  # for each form, besides its first pass; two passes at least
GAIN = 1.2  # a form must be so many times as fast to be chosen: on a busy machine measurements vary so much
FIRST, LAST = "channels first", "channels last"
LAYOUTS = {FIRST: torch.contiguous_format, LAST: torch.channels_last}


def measured_form(model: AdaptedCLIP, precision: str) -> dict[str, Any]:
    """Which form is fastest for a training step of the image tower; seconds on a CPU.

    precision: the setting; only `auto` is measured, and only where the processor has bfloat16. A teaching
    model keeps float32, so that a lecture shows the same numbers on every machine. The layout is measured
    for towers of convolutions that have none of their own. → {"precision": float32 or bfloat16, "layout":
    FIRST or LAST, "ms": {form: milliseconds an image}}, with what was measured only: empty on other
    devices than CPUs. The model is left in the layout that was chosen.
    """
    if model.device.type != "cpu":
        return {}
    size = model.backbone.preprocessing.size
    images = random_image(model.visual, size).repeat(IMAGES, 1, 1, 1)
    found: dict[str, Any] = {}
    ms: dict[str, float] = {}
    if _has_a_choice(model.visual):
        ms |= _milliseconds(model, images, {layout: ("float32", layout) for layout in LAYOUTS})
        found["layout"] = LAST if GAIN * ms[LAST] < ms[FIRST] else FIRST
        use_layout(model, found["layout"])
    lecture = model.backbone.name in DRAWINGS
    if precision == "auto" and not lecture and multiplies_bfloat16(model.device):
        ms |= _milliseconds(model, images, {p: (p, None) for p in ("float32", "bfloat16")})
        found["precision"] = "bfloat16" if GAIN * ms["bfloat16"] < ms["float32"] else "float32"
    return found | ({"ms": ms} if ms else {})


def use_layout(model: AdaptedCLIP, layout: str) -> None:
    """Store the image tower's convolutions in a layout; its features stay the same to rounding."""
    model.visual.to(memory_format=LAYOUTS[layout])


def _has_a_choice(visual: nn.Module) -> bool:
    """Whether a tower has convolutions behind its first one, all of them channels first."""
    kernels = [m.weight for m in visual.modules() if isinstance(m, nn.Conv2d)]
    return len(kernels) > 1 and all(w.is_contiguous() for w in kernels)


def _milliseconds(
    model: AdaptedCLIP, images: Tensor, forms: dict[str, tuple[str, str | None]]
) -> dict[str, float]:
    """The least of a few passes in each form, for an image. forms: precision, and layout to change to.

    They take turns, so that other programs disturb all of them alike.
    """
    times: dict[str, list[float]] = {form: [] for form in forms}
    end = float("inf")
    while len(times[next(iter(forms))]) < 3 or time.perf_counter() < end:
        for form, (precision, layout) in forms.items():
            if layout:
                use_layout(model, layout)
            times[form].append(_seconds(model, images, precision))
        if end == float("inf"):
            end = time.perf_counter() + SECONDS * len(forms)
    # The first pass of a form prepares its kernels.
    return {form: round(1000 * min(t[1:]) / len(images), 3) for form, t in times.items()}


def _seconds(model: AdaptedCLIP, images: Tensor, precision: str) -> float:
    """Of one forward and backward pass of the image tower."""
    # Views of the parameters: what trains in the model is not touched.
    adapted = {k.removeprefix("visual."): v.detach() for k, v in model.affine().items()}
    for value in adapted.values():
        value.requires_grad_(True)
    began = time.perf_counter()
    with torch.enable_grad(), tower_autocast(precision, model.device):
        features = torch.func.functional_call(model.visual, adapted, (images,))
    if features.requires_grad:
        torch.autograd.grad(features.float().sum(), list(adapted.values()), allow_unused=True)
    return time.perf_counter() - began
