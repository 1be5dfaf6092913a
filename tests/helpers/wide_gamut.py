"""ICC profiles of wide color spaces, made from their published primaries, and photos in them."""

import struct
from pathlib import Path

import numpy as np
from PIL import Image

D50, D65 = (0.9642, 1.0, 0.8249), (0.3127, 0.3290)  # XYZ; xy
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))  # xy of red, green and blue
DISPLAY_P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
ADOBE_RGB = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def linear(values: np.ndarray, gamma: float | None) -> np.ndarray:
    """Light from values of 0 to 1; gamma None: the curve of sRGB."""
    if gamma:
        return values**gamma
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def encoded(light: np.ndarray, gamma: float | None) -> np.ndarray:
    """The inverse of `linear`, clipped to 0 to 1."""
    light = light.clip(0, 1)
    if gamma:
        return light ** (1 / gamma)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def to_xyz(primaries) -> np.ndarray:
    """From linear RGB to XYZ under D65, (3, 3)."""
    tall = np.array([[x / y, 1, (1 - x - y) / y] for x, y in (*primaries, D65)]).T
    return tall[:, :3] * np.linalg.solve(tall[:, :3], tall[:, 3])


def converted(pixels: np.ndarray, source, source_gamma, target, target_gamma) -> np.ndarray:
    """uint8 (H, W, 3) of one color space in another, in float64 by the definitions."""
    change = np.linalg.solve(to_xyz(target), to_xyz(source))
    light = linear(pixels / 255, source_gamma) @ change.T
    return (255 * encoded(light, target_gamma)).round().astype(np.uint8)


def profile(primaries, gamma: float | None = None, space: bytes = b"RGB ") -> bytes:
    """An ICC profile of the primaries under D65 (version 4 with sRGB's curve, 2 with a gamma)."""
    matrix = to_xyz(primaries)
    white = matrix.sum(1)
    adapted = np.diag((_BRADFORD @ D50) / (_BRADFORD @ white))
    matrix = np.linalg.solve(_BRADFORD, adapted @ _BRADFORD) @ matrix

    def fixed(values) -> bytes:
        return b"".join(struct.pack(">i", round(v * 65536)) for v in values)

    if gamma:
        curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))
    else:
        steps = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
        curve = b"para\0\0\0\0" + struct.pack(">HH", 3, 0) + fixed(steps)
    about = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"made\0" + bytes(78)
    tags = [
        (b"desc", about),
        (b"cprt", b"text\0\0\0\0none\0"),
        (b"wtpt", b"XYZ \0\0\0\0" + fixed(D50)),
    ]
    for name, column in zip((b"r", b"g", b"b"), matrix.T, strict=True):
        tags += [(name + b"XYZ", b"XYZ \0\0\0\0" + fixed(column)), (name + b"TRC", curve)]
    at = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, tag in tags:
        table += name + struct.pack(">II", at + len(body), len(tag))
        body += tag + bytes(-len(tag) % 4)
    version = 0x02400000 if gamma else 0x04000000
    head = struct.pack(">I4xI4s4s4s", at + len(body), version, b"mntr", space, b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + fixed(D50)
    return head.ljust(128, b"\0") + table + body


GAMMA = 563 / 256  # of Adobe RGB
SPACES = {"Display P3": (DISPLAY_P3, None), "Adobe RGB": (ADOBE_RGB, GAMMA)}
PROFILES = {name: profile(*space) for name, space in SPACES.items()} | {"sRGB": profile(SRGB)}


def in_space(image: Image.Image, name: str) -> Image.Image:
    """An sRGB image in one of `SPACES`: the same colors, other values."""
    return Image.fromarray(converted(np.asarray(image), SRGB, None, *SPACES[name]))


def save_wide(image: Image.Image, path: Path, name: str = "Display P3") -> None:
    """Write an sRGB image as a file in another color space, with its profile."""
    in_space(image, name).save(path, icc_profile=PROFILES[name])
