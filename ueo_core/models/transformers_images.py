"""How Transformers fits images for a CLIP or SigLIP, as an open_clip preprocess config.

From `preprocessor_config.json`, or `image_processor` in `processor_config.json` (Transformers 5), of
`CLIPImageProcessor` and `SiglipImageProcessor`. What open_clip's preprocessing can say is taken over exactly;
the rest is refused, so that nothing is ignored.
"""

import math
from collections.abc import Mapping
from typing import Any

_FILTERS = {2: "bilinear", 3: "bicubic"}  # of Pillow
_OTHERS = {0: "nearest", 1: "Lanczos", 4: "box", 5: "Hamming"}
_MEAN_AND_STD: dict[bool, dict[str, list[float]]] = {
    True: {},  # of a CLIP: open_clip's own default
    False: {"mean": [0.5] * 3, "std": [0.5] * 3},
}


def preprocess_config(images: Mapping[str, Any], side: int, crops: bool) -> dict[str, Any]:
    """The `preprocess_cfg` of a model.

    images: the image processor's values, empty for the defaults of the family; side: the image tower's
    input in pixels; crops: whether the family fits the short side and crops (CLIP), or squashes (SigLIP).
    Raises ValueError, with the cause as a clause, for what open_clip has no word for.
    """
    for step in ("do_resize", "do_rescale"):
        if not _flag(images, step, True):
            raise ValueError(f"its {step} is false, and images of a file have to be fitted")
    return {
        "size": side,
        "resize_mode": _resize_mode(images, side, crops),
        "interpolation": _filter(images.get("resample", 3)),
        **_mean_and_std(images, crops),
    }


def _resize_mode(images: Mapping[str, Any], side: int, crops: bool) -> str:
    size = images.get("size") or ({"shortest_edge": side} if crops else _square(side))
    if isinstance(size, int):  # as stored by early versions
        size = {"shortest_edge": size}
    if not isinstance(size, Mapping):
        raise ValueError(f"its size is {str(size)[:60]}")
    size = {key: value for key, value in size.items() if value is not None}
    crop = images.get("crop_size") or size if _flag(images, "do_center_crop", crops) else None
    if isinstance(crop, int):
        crop = _square(crop)
    if crop is not None and not isinstance(crop, Mapping):
        raise ValueError(f"its crop_size is {str(crop)[:60]}")
    if crop is not None and "shortest_edge" in crop:
        crop = _square(crop["shortest_edge"])
    if set(size) == {"height", "width"}:
        made, mode = dict(size), "squash"
        if crop is not None and crop != made:
            raise ValueError(
                f"its images are resized to {_shown(made)} and cropped to {_shown(crop)}, two steps "
                "that open_clip's preprocessing has no word for"
            )
    elif set(size) == {"shortest_edge"}:
        if crop is None:
            raise ValueError("its images are not cropped, and its image tower takes one size")
        made, mode = dict(crop), "shortest"
        if made != _square(size["shortest_edge"]):
            raise ValueError(
                f"the short side of its images is resized to {size['shortest_edge']} and {_shown(made)} are "
                "cropped from it, which open_clip's preprocessing has no word for"
            )
    else:
        raise ValueError(f"its size is told by {', '.join(sorted(map(str, size)))}")
    if made != _square(side):
        raise ValueError(
            f"its images have {_shown(made)} pixels, and its image tower takes {_shown(_square(side))}"
        )
    return mode


def _filter(resample: Any) -> str:
    known = isinstance(resample, int) and not isinstance(resample, bool)
    if known and resample in _FILTERS:
        return _FILTERS[resample]
    named = _OTHERS.get(resample) if known else None
    raise ValueError(
        f"its images are resized by {named or str(resample)[:40]}, and open_clip knows bicubic and bilinear"
    )


def _mean_and_std(images: Mapping[str, Any], crops: bool) -> dict[str, list[float]]:
    """Mean and std of values from 0 to 1. Transformers computes (x · factor − mean) / std of x to 255."""
    factor = images.get("rescale_factor", 1 / 255)
    if not isinstance(factor, float | int) or not math.isfinite(factor) or factor <= 0:
        raise ValueError(f"its rescale_factor is {str(factor)[:40]}")
    found = dict(_MEAN_AND_STD[crops])
    for name, key in (("mean", "image_mean"), ("std", "image_std")):
        value = images.get(key)
        if value is not None:
            found[name] = [value] * 3 if isinstance(value, float | int) else value
    if not _flag(images, "do_normalize", True):
        found = {"mean": [0.0] * 3, "std": [1.0] * 3}
    if abs(255 * factor - 1) < 1e-6:
        return found
    if not {"mean", "std"} <= set(found):
        raise ValueError(
            f"its rescale_factor is {factor}, and image_mean and image_std are missing"
        )
    try:
        return {name: [float(v) / (255 * factor) for v in values] for name, values in found.items()}
    except (TypeError, ValueError):
        raise ValueError("its image_mean and image_std are no numbers") from None


def _flag(images: Mapping[str, Any], name: str, default: bool) -> bool:
    value = images.get(name)
    if value is not None and not isinstance(value, bool):
        raise ValueError(f"its {name} is {str(value)[:40]}")
    return default if value is None else value


def _square(side: Any) -> dict[str, Any]:
    return {"height": side, "width": side}


def _shown(size: Mapping[str, Any]) -> str:
    return f"{size.get('height')} × {size.get('width')}"
