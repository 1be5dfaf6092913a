"""One image of a set as JPEG."""

import io
from pathlib import Path

from PIL import Image

from ueo_core.data.store import Store

SIDE = 512  # pixels, longer side at most


def picture_jpeg(reference: dict, index: int, side: int = SIDE) -> bytes:
    """The stored image as JPEG; UserError if its pixels are no longer in the store.

    side: of the longer edge at most, pixels.
    """
    images = Store(Path(reference["store"])).open(reference["set"])
    image = Image.fromarray(images.pixels(index))
    image.thumbnail((side, side))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=88)
    return out.getvalue()
