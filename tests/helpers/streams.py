"""Small sources to be read in place: images as files, tar shards, tables of paths."""

import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image


def image_bytes(seed: int, kind: str = "PNG", size: tuple[int, int] = (40, 48)) -> bytes:
    """An image of coarse random colors."""
    g = np.random.default_rng(seed)
    coarse = g.integers(0, 256, (5, 6, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(coarse).resize(size[::-1]).save(file, kind)
    return file.getvalue()


def write_tar(path: Path, members: list[tuple[str | tarfile.TarInfo, bytes]]) -> Path:
    """An uncompressed tar archive with these members."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, data in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def write_folder(root: Path, n: int) -> Path:
    """A folder of n images, with a damaged one and a text among them."""
    (root / "a").mkdir(parents=True)
    for i in range(n):
        (root / ("a" if i % 2 else ".") / f"{i:03d}.png").write_bytes(image_bytes(i))
    (root / "a" / "broken.jpg").write_bytes(b"\xff\xd8\xff" + bytes(50))
    (root / "notes.txt").write_text("no image", encoding="utf-8")
    return root
