"""Colors of a photo converted from its own ICC profile to sRGB. The profile is untrusted."""

import io
from functools import cache

import numpy as np
from PIL import Image, ImageCms

_RGB = "RGB "  # the color space of a profile, as its header has it
# Gray levels that a profile may move a color and still be sRGB: those of different makers differ by one.
_ROUNDING = 2


def to_srgb(image: Image.Image, profile: object) -> Image.Image:
    """An RGB image in sRGB, relative colorimetric; the same image where there is nothing to convert.

    profile: bytes of the file's ICC profile, or None. Nothing is converted without one, or with one that
    is sRGB itself, is damaged, or is of another color space than RGB.
    """
    if not isinstance(profile, bytes) or not profile:
        return image
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if own.profile.xcolor_space != _RGB:
            return image
        change = ImageCms.buildTransform(
            own, ImageCms.createProfile("sRGB"), "RGB", "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC
        )
        colors = _colors()
        moved = np.asarray(change.apply(colors), np.int16) - np.asarray(colors)
        return image if np.abs(moved).max() <= _ROUNDING else change.apply(image)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image


@cache
def _colors() -> Image.Image:
    """Colors evenly over the RGB cube."""
    levels = np.linspace(0, 255, 9).round().astype(np.uint8)
    return Image.fromarray(np.stack(np.meshgrid(levels, levels, levels), -1).reshape(27, 27, 3))
