"""Presets: the recommended settings of a backbone, and common variations."""

from collections.abc import Callable
from dataclasses import dataclass

from ueo_core.config.settings import AUTO, Settings
from ueo_core.utils.errors import UserError


@dataclass(frozen=True)
class Preset:
    """A title, one sentence, and what it changes in the backbone's own settings."""

    title: str
    about: str
    change: Callable[[Settings], dict]


PRESETS: dict[str, Preset] = {
    "paper": Preset(
        "Recommended",
        "The paper's settings, and a learning rate that is chosen on the images, without labels.",
        lambda s: {"lr": AUTO},
    ),
    "fixed": Preset(
        "Fixed rate",
        "The paper's settings with the backbone's usual learning rate: less than half the time, if that rate suits the images.",
        lambda s: {},
    ),
    "quick": Preset(
        "Quick look",
        "A third of the epochs at the usual rate: enough to see the trend.",
        lambda s: {"epochs": max(1, round(s.epochs / 3))},
    ),
    "released": Preset(
        "As released",
        "Weights without CLIP's logit scale and the affine parameters that the released script trains: close to InfoMax.",
        lambda s: {"weight_temperature": "released", "trained": "as-released"},
    ),
    "one-pass": Preset(
        "One pass",
        "Quick mode: one pass over the images, then only the prompt and the last affine parameters train. For machines without a GPU.",
        lambda s: {"mode": "quick"},
    ),
    "prompt": Preset(
        "Prompt only",
        "Trains the prompt's context vectors and leaves the image tower as it is: an ablation.",
        lambda s: {"trained": "prompt"},
    ),
}
DEFAULT_PRESET = "paper"
COMPARED_PRESET = "fixed"  # of a protocol, unless it is asked for another


def preset(name: str, backbone: str, **chosen) -> Settings:
    """Settings of a preset for a backbone, with every value that is not None in `chosen` over it."""
    if name not in PRESETS:
        raise UserError(f"Preset “{name}”: not known; choose one of {', '.join(PRESETS)}.")
    base = Settings.for_backbone(backbone)
    given = {k: v for k, v in chosen.items() if v is not None}
    return base.changed(**(PRESETS[name].change(base) | given))
