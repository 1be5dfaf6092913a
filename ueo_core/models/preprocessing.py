"""How a model wants its images: size, resize mode, interpolation, fill, mean and std."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ueo_core.utils.errors import UserError

RESIZE_MODES = ("shortest", "longest", "squash")
INTERPOLATIONS = ("bicubic", "bilinear")
LARGEST_SIDE = 4096  # pixels of an input, several times what models have
# Of the original CLIP, and of most models that open_clip lists.
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class Preprocessing:
    """A model's own preprocessing, as open_clip's `PreprocessCfg` describes it.

    resize_mode: `shortest` fits the short side and crops the center, `longest` fits the long side
    and pads with gray value `fill`, `squash` fits both sides and changes the aspect.
    """

    size: tuple[int, int]  # height and width of the input in pixels
    mean: tuple[float, float, float]  # by channel, of values from 0 to 1
    std: tuple[float, float, float]
    resize_mode: str = "shortest"
    interpolation: str = "bicubic"
    fill: int = 0

    @classmethod
    def from_config(cls, name: str, config: dict[str, Any]) -> "Preprocessing":
        """From the values of an open_clip preprocess config; UserError where they cannot be used.

        name: of the model, for messages.
        """
        about = f"Preprocessing of “{name}”"
        missing = [key for key in ("size", "mean", "std") if config.get(key) is None]
        if missing:
            raise UserError(
                f"{about}: it does not tell {' and '.join(missing)}; give the transform that "
                "open_clip.create_model_and_transforms returns, or a dict with size, mean and std."
            )
        mean, std = (_channels(about, key, config[key]) for key in ("mean", "std"))
        if config.get("mode", "RGB") not in ("RGB", None):
            raise UserError(
                f"{about}: its mode {config['mode']!r} is not supported; only RGB images are."
            )
        mode = config.get("resize_mode") or "shortest"
        if mode not in RESIZE_MODES:
            raise UserError(
                f"{about}: its resize mode {mode!r} is not known; it is one of {', '.join(RESIZE_MODES)}."
            )
        interpolation = config.get("interpolation") or "bicubic"
        if interpolation == "random":  # open_clip's own evaluation is bicubic then
            interpolation = "bicubic"
        if interpolation not in INTERPOLATIONS:
            raise UserError(
                f"{about}: its interpolation {interpolation!r} is not supported; use one of "
                f"{', '.join(INTERPOLATIONS)}."
            )
        fill = config.get("fill_color") or 0
        if not _is_whole(fill) or not 0 <= fill <= 255:
            raise UserError(
                f"{about}: its fill color is {fill!r}; give a gray value from 0 to 255."
            )
        return cls(_height_and_width(about, config["size"]), mean, std, mode, interpolation, fill)

    @property
    def is_square(self) -> bool:
        return self.size[0] == self.size[1]

    @property
    def is_clips(self) -> bool:
        """Whether it is that of the original CLIP, at any size.

        Short side, bicubic, center crop, square, and CLIP's own mean and std.
        """
        return (
            (self.resize_mode, self.interpolation) == ("shortest", "bicubic")
            and self.is_square
            and (self.mean, self.std) == (CLIP_MEAN, CLIP_STD)
        )

    @property
    def filter(self) -> str:
        """The interpolation that is used: open_clip fits other than square inputs bicubically."""
        fitted = self.resize_mode == "shortest" and not self.is_square
        return "bicubic" if fitted else self.interpolation

    def to_json(self) -> dict:
        """For the metadata of an adapter; a square size is one number, as it always was."""
        return {
            "image_size": self.size[0] if self.is_square else list(self.size),
            "mean": list(self.mean),
            "std": list(self.std),
            "resize_mode": self.resize_mode,
            "interpolation": self.filter,
            "fill_color": self.fill,
        }

    def as_adapted(self, metadata: dict[str, Any]) -> "Preprocessing":
        """The preprocessing that an adapter was made with, by its metadata; UserError if unusable.

        What the metadata does not tell is this model's own. Adapters of earlier versions do not
        tell how images were fitted: it was CLIP's own way for all models.
        """
        told = {"size": metadata.get("image_size")} | {k: metadata.get(k) for k in _TOLD}
        own = {"size": self.size, "mean": self.mean, "std": self.std}
        return Preprocessing.from_config(
            str(metadata.get("backbone")), own | {k: v for k, v in told.items() if v is not None}
        )


_TOLD = ("mean", "std", "resize_mode", "interpolation", "fill_color")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _channels(about: str, key: str, values: Any) -> tuple[float, float, float]:
    try:
        red, green, blue = (float(v) for v in values)
    except (TypeError, ValueError):
        raise UserError(
            f"{about}: its {key} is {values!r}; give three numbers, one per color channel."
        ) from None
    if not all(map(math.isfinite, (red, green, blue))) or (
        key == "std" and min(red, green, blue) <= 0
    ):
        raise UserError(
            f"{about}: its {key} is {values!r}, which cannot normalize an image; give the values "
            "that the model was trained with."
        )
    return red, green, blue


def _height_and_width(about: str, size: Any) -> tuple[int, int]:
    sides = [size, size] if _is_whole(size) else size
    if isinstance(sides, Sequence) and len(sides) == 1:
        sides = [*sides, *sides]
    if (
        not isinstance(sides, Sequence)
        or len(sides) != 2
        or not all(_is_whole(side) and 0 < side <= LARGEST_SIDE for side in sides)
    ):
        raise UserError(
            f"{about}: its size is {size!r}; give a side in pixels, or height and width."
        )
    return sides[0], sides[1]
