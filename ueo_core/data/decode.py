"""Decode one image file to upright RGB at training size. The bytes are untrusted."""

from __future__ import annotations

import importlib
import importlib.util
import io
import math
import struct
import warnings
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from PIL import Image, TiffImagePlugin, UnidentifiedImageError, features

from ueo_core.data.color_profile import to_srgb
from ueo_core.data.limits import Limits, RejectedFile

# Broken metadata makes Pillow warn on stderr for every file; the intake report has what matters.
warnings.filterwarnings("ignore", module=r"PIL\.")

HEAD_BYTES = 32  # of a file, that its format is recognized from
_SAMPLED = 24  # approximate number of rows and of columns that `Decoded.spread` is computed from
# Images are reduced by decoding and box averaging to at least this multiple of the target size,
# then by bicubic interpolation. PSNR against a full decode: a mosaic of photos has 50 dB at 2 and
# 30 dB at 1, smooth 12-megapixel photos 53 dB and 47 dB. A gap of 1 takes 75 % of the time.
REDUCING_GAP = 2.0
_LUMA = np.array([299, 587, 114])  # thousandths, ITU-R BT.601, as in Pillow's conversion to gray
_BAND_BYTES = 16 * 10**6
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_ORIENTATION = 0x0112
_TIFF, _BIG_TIFF = (b"II*\0", b"MM\0*"), b"II+\0"
_BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339  # TIFF tags
_WHITE_IS_ZERO, _FLOAT = 0, 3  # their values
STRETCHED = "*"  # ends the format of an image whose few significant bits were stretched
_DARK = 8  # a brightest value of less than white / 8: the file does not use the bits it declares
_PNG_NOTES = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")  # chunks that the pixels do not depend on
_TRANSPOSE = {  # EXIF orientation -> the operation that makes the image upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = {_TRANSPOSE[orientation] for orientation in (5, 6, 7, 8)}

Gate = Callable[[int], AbstractContextManager[None]]


@dataclass(frozen=True)
class Decoded:
    """One image, ready for the store."""

    pixels: np.ndarray  # uint8 (H, W, 3), upright, short side at most the requested one
    width: int  # pixels of the upright original
    height: int
    format: str
    spread: float  # standard deviation of gray levels (0-255) on a grid; near 0: a single color


def sniff(head: bytes) -> str:
    """Return the Pillow format that the first bytes belong to.

    The file name is not considered. Raises `RejectedFile` if the file is not a readable image.
    """
    if not head:
        raise RejectedFile("empty file")
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _needs("WEBP", bool(features.check("webp")), "a Pillow build with WebP")
    if head[:4] in (*_TIFF, _BIG_TIFF):
        return "TIFF"
    if head[:4] == b"MM\0+":
        raise RejectedFile("a big-endian BigTIFF image, which is not read; export it as plain TIFF")
    if head.startswith((b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")):
        raise RejectedFile("a JPEG 2000 image, which is not read; export it as JPEG or PNG")
    if head.startswith((b"\0\0\0\x0cJXL \r\n\x87\n", b"\xff\x0a")):
        raise RejectedFile("a JPEG XL image, which is not read; export it as JPEG or PNG")
    if head[:2] in (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6") and head[2:3].isspace():
        return "PPM"
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":
        return "BMP"
    if head[4:8] == b"ftyp":
        # The brand, the version, then the brands that it is compatible with.
        brands = {head[8:12], *(head[at : at + 4] for at in range(16, HEAD_BYTES, 4))}
        if brands & {b"avif", b"avis"}:
            return _needs("AVIF", bool(features.check("avif")), "a Pillow build with AVIF")
        if head[8:12] in _HEIF_BRANDS:
            return _needs("HEIF", _heif_ready(), "the package pillow-heif")
    if head[:4] in (b"PK\x03\x04", b"Rar!", b"7z\xbc\xaf") or head[:2] == b"\x1f\x8b":
        raise RejectedFile("an archive inside the source; extract it first")
    raise RejectedFile("not an image (JPEG, PNG, WebP, GIF, BMP, TIFF, PPM, AVIF)")


def _needs(name: str, ready: bool | None, what: str) -> str:
    if not ready:
        shown = "HEIC" if name == "HEIF" else name
        raise RejectedFile(f"a {shown} image, which needs {what}; or export it as JPEG")
    return name


def _heif_ready() -> bool:
    if importlib.util.find_spec("pillow_heif") is None:
        return False
    importlib.import_module("pillow_heif").register_heif_opener()
    return True


def target_size(width: int, height: int, short_side: int) -> tuple[int, int]:
    """(width, height) with a short side of at most `short_side`; never larger than the input."""
    short = min(width, height)
    if short <= short_side:
        return width, height
    return (
        max(1, round(width * short_side / short)),
        max(1, round(height * short_side / short)),
    )


def decode(data: bytes, short_side: int, limits: Limits, gate: Gate, srgb: bool = False) -> Decoded:
    """Decode the first frame to upright RGB; transparent parts become white.

    srgb: convert colors by the file's ICC profile; otherwise it is ignored, as open_clip does. The context manager `gate(n)` is entered while about n bytes are in use, so that large images
    wait for each other. Raises only `RejectedFile`, whatever the bytes are, so that one broken
    file never stops an intake.
    """
    kind = sniff(data[:HEAD_BYTES])
    try:
        with _open(data, kind) as image:
            limits.check_shape(*image.size)
            return _decode(image, kind, short_side, limits, gate, srgb)
    except RejectedFile:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        most = min(limits.max_pixels, 2 * (Image.MAX_IMAGE_PIXELS or 0) or limits.max_pixels)
        raise RejectedFile(f"over the limit max_pixels = {most:,}") from error
    except UnidentifiedImageError as error:
        raise RejectedFile(_unidentified(data, kind)) from error
    except MemoryError as error:
        raise RejectedFile("decoding it needs more memory than is available") from error
    except Exception as error:
        # Decoders raise any exception on malformed bytes (struct.error, IndexError,
        # SyntaxError, ...); each means that this file is broken.
        raise RejectedFile(_plain(error)) from error


def _open(data: bytes, kind: str) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=(kind,))
    except ValueError:  # Pillow refuses a PNG with more than a megabyte of compressed notes
        if kind != "PNG":
            raise
        return Image.open(io.BytesIO(_without_notes(data)), formats=(kind,))


def _without_notes(png: bytes) -> bytes:
    """A PNG without its texts and its color profile."""
    kept, at = [png[:8]], 8
    while at + 12 <= len(png):
        size, name = struct.unpack(">L4s", png[at : at + 8])
        if name not in _PNG_NOTES:
            kept.append(png[at : at + 12 + size])
        at += 12 + size
    return b"".join(kept)


def _unidentified(data: bytes, kind: str) -> str:
    """Why Pillow does not know an image that begins like one of this kind."""
    broken = f"begins like a {kind} image, but its header is broken"
    if kind != "TIFF":
        return broken
    try:
        tags = TiffImagePlugin.ImageFileDirectory_v2(
            data[: 16 if data.startswith(_BIG_TIFF) else 8]
        )
        file = io.BytesIO(data)
        file.seek(tags.next)
        tags.load(file)
        bits, numbers = tags.get(_BITS, (1,)), tags.get(_SAMPLE_FORMAT, (1,))
    except Exception:  # as broken as anything untrusted can be
        return broken
    what = "floating-point numbers" if _FLOAT in numbers else "whole numbers"
    each = ", ".join(str(n)[:20] for n in tuple(bits)[:4])
    return f"a TIFF image of a kind that is not read ({each} bits, {what}); export it with 8 bits"


def _plain(error: Exception) -> str:
    text = " ".join(str(error).split())
    if "truncated" in text or isinstance(error, EOFError):
        return "the file is truncated"
    if isinstance(error, (struct.error, IndexError, KeyError, SyntaxError, zlib.error)):
        return "the file is damaged"
    return f"the file is damaged ({text[:100]})" if text else "the file is damaged"


def _decode(
    image: Image.Image, kind: str, short_side: int, limits: Limits, gate: Gate, srgb: bool
) -> Decoded:
    stored = image.size
    small = target_size(*stored, short_side)
    if kind == "JPEG":
        # The JPEG decoder can output 1/2, 1/4 or 1/8 of the size, which is faster.
        image.draft("RGB", (math.ceil(small[0] * REDUCING_GAP), math.ceil(small[1] * REDUCING_GAP)))
    need = _memory(image, kind, stored)
    if need > limits.max_decode_bytes:
        raise RejectedFile(
            f"decoding it takes about {need / 1e6:,.0f} MB, over the limit "
            f"max_decode_bytes = {limits.max_decode_bytes:,}"
        )
    with gate(need):
        image.load()
        turn = _orientation(image)
        if kind == "TIFF" and image.size != stored:  # Pillow has already made it upright
            small, stored = (small[1], small[0]), image.size
        rgb = _shrink(image, small)
    if srgb:  # after reducing, when there are fewer pixels
        rgb = to_srgb(rgb, image.info.get("icc_profile"))
    if turn is not None:
        rgb = rgb.transpose(turn)
        if turn in _SIDEWAYS:
            stored = stored[1], stored[0]
    pixels = np.asarray(rgb)
    name = image.format or kind
    if _stretched_white(image) is not None:
        name += STRETCHED
    return Decoded(pixels, *stored, name, _spread(pixels))


def _memory(image: Image.Image, kind: str, stored: tuple[int, int]) -> int:
    """An upper estimate of the peak memory of decoding, in bytes."""
    pixels = image.size[0] * image.size[1]  # after draft
    if kind == "JPEG":
        # A progressive file needs all coefficients of the full size until its last scan.
        progressive = 6 * stored[0] * stored[1] if image.info.get("progressive") else 0
        return 4 * pixels + progressive
    return {"WEBP": 16, "AVIF": 16, "HEIF": 16, "GIF": 9, "TIFF": 12}.get(kind, 5) * pixels


def _orientation(image: Image.Image) -> Image.Transpose | None:
    try:
        return _TRANSPOSE.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # broken EXIF data: the image itself can still be used
        return None


def _shrink(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """RGB at `size`: box averaging by an integer factor, then bicubic; both antialiased."""
    width, height = image.size
    factor = max(1, int(min(width / size[0], height / size[1]) / REDUCING_GAP))
    to_rgb = _rgb_of(image)
    if factor == 1:
        rgb = to_rgb(image)
        return rgb if rgb.size == size else rgb.resize(size, Image.Resampling.BICUBIC)
    reduced = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    # In bands, so that a large image with alpha is never in memory as RGB a second time.
    rows = max(1, _BAND_BYTES // (4 * width * factor)) * factor
    for top in range(0, height, rows):
        band = to_rgb(image.crop((0, top, width, min(height, top + rows))))
        reduced.paste(band.reduce(factor), (0, top // factor))
    box = (0, 0, width / factor, height / factor)
    return reduced.resize(size, Image.Resampling.BICUBIC, box=box)


def _rgb_of(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """The function that converts this image, or a crop of it, to RGB."""
    if image.mode.startswith("I") or image.mode == "F":
        low, high = _tone_range(image)
        clear = image.info.get("transparency")  # one value, in the file's own range
        return lambda part: _scaled(part, low, high, clear)
    if image.has_transparency_data or image.mode in ("La", "RGBa"):
        return _on_white
    return lambda part: part if part.mode == "RGB" else part.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode == "La":  # Pillow converts it to nothing else
        image = image.convert("LA")
    rgba = image if image.mode == "RGBA" else image.convert("RGBA")
    white = Image.new("RGB", image.size, (255, 255, 255))
    white.paste(rgba, mask=rgba.getchannel("A"))
    return white


def _tone_range(image: Image.Image) -> tuple[float, float]:
    """(black, white) of an image with more than 8 bits: the range of its type, or its own range."""
    if image.mode.startswith("I;16"):
        tags = getattr(image, "tag_v2", {})  # of a TIFF
        bits = min(16, int(tags.get(_BITS, (16,))[0]))
        white = float(2**bits - 1)
        if bits < 16 and (most := int(np.asarray(image).max())) * _DARK < white:
            raise RejectedFile(
                f"{bits} bits per sample, but its brightest value is {most}, so it would be nearly "
                "black; stretch it and export it with 8 bits"
            )
        if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
            return white, 0.0
        return 0.0, _stretched_white(image) or white
    low, high = np.array(image.getextrema(), dtype=float).tolist()
    if image.mode == "F" and low >= 0 and high <= 1:
        return 0.0, 1.0
    if low >= 0 and high <= 65535:
        return 0.0, 255.0 if high <= 255 else 65535.0
    return (low, high) if math.isfinite(low) and math.isfinite(high) else (0.0, 255.0)


def _stretched_white(image: Image.Image) -> float | None:
    """The white of 8 or 12 significant bits in 16, as cameras store them; None for any other image.

    At the white of 16 bits such an image would be nearly black.
    """
    tags = getattr(image, "tag_v2", {})
    if not image.mode.startswith("I;16") or tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        return None
    if int(tags.get(_BITS, (16,))[0]) < 16:
        return None
    most = int(np.asarray(image).max())
    return next((float(white) for white in (255, 4095) if most <= white), None)


def _scaled(image: Image.Image, low: float, high: float, clear: int | None = None) -> Image.Image:
    """Gray levels from black at `low` to white at `high`; the transparent value becomes white."""
    values = np.asarray(image, dtype=np.float32)
    span = high - low if abs(high - low) > 1e-12 else 1e-12
    gray = np.nan_to_num((values - low) * (255 / span), nan=0.0)
    if isinstance(clear, int):
        gray[values == clear] = 255
    return Image.fromarray(np.clip(gray + 0.5, 0, 255).astype(np.uint8)).convert("RGB")


def _spread(pixels: np.ndarray) -> float:
    """Computed on a grid of pixels: enough to detect a single color, at little cost."""
    rows, columns = (max(1, side // _SAMPLED) for side in pixels.shape[:2])
    # In whole numbers: exact, and half the time of the same in float64.
    gray = pixels[::rows, ::columns].reshape(-1, 3) @ _LUMA
    n, total = len(gray), int(gray.sum())
    return math.sqrt(n * int(gray @ gray) - total * total) / (n * 1000)
