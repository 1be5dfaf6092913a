"""Synthetic photos of camera size, to time decoding."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from ueo_core.drawings.nouns import NOUNS
from ueo_core.drawings.render import SOURCE_DOMAIN, render

WIDTH, HEIGHT = 4000, 3000  # twelve megapixels
NOISE = 6.0  # gray levels; gives a file of about 4 MB, the size of a phone's photo


def photo(index: int, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """JPEG of an enlarged drawing with sensor noise; the same bytes for the same index."""
    g = np.random.default_rng([index, 12])
    noun = list(NOUNS)[index % len(NOUNS)]
    drawn = render(noun, SOURCE_DOMAIN, g, 512)[0].convert("RGB")
    pixels = np.asarray(drawn.resize((width, height), Image.Resampling.BICUBIC), dtype=np.int16)
    # One block of noise is repeated: twelve million normal numbers would take a second.
    noise = (NOISE * g.standard_normal((height, width // 8, 1))).astype(np.int16)
    pixels = np.clip(pixels + np.tile(noise, (1, 8, 1))[:, :width], 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def write_photos(
    folder: Path, n: int, progress: Callable[[int, int], None] = lambda done, total: None
) -> list[Path]:
    """Write n photos to a folder. → their paths"""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{i:04d}.jpg" for i in range(n)]
    for i, path in enumerate(paths):
        path.write_bytes(photo(i))
        progress(i + 1, n)
    return paths
