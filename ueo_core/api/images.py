"""Whatever a person has of images, as the pixels that training and prediction read."""

import contextlib
import hashlib
import io
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ueo_core.data.decode import Decoded, decode
from ueo_core.data.labels import folder_labels
from ueo_core.data.limits import Limits, RejectedFile
from ueo_core.data.originals import Originals
from ueo_core.data.store import Store
from ueo_core.export.downloads import StoredImages
from ueo_core.export.predicted_images import ImageSource
from ueo_core.utils.errors import UserError

Reopen = Callable[[], contextlib.AbstractContextManager[ImageSource]]


class Pixels(Protocol):
    """How many images, and the pixels of each, uint8 (H, W, 3)."""

    def __len__(self) -> int: ...

    def pixels(self, i: int) -> np.ndarray: ...


@dataclass
class Images:
    """Opened images: pixels, a name for each, and the labels of their folders where there are any."""

    pixels: Pixels
    names: list[str]
    title: str
    reopen: Reopen  # for an export, after `close`
    labels: list[str | None] | None = None  # folder names, read by evaluate alone
    copies: list[tuple[str, ...]] = field(
        default_factory=list
    )  # files with the same bytes, by image
    closing: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __len__(self) -> int:
        return len(self.names)

    def close(self) -> None:
        """Remove what was written to open them."""
        self.closing.close()

    @cached_property
    def fingerprint(self) -> str:
        """sha256 (hex) of what the images are called, or of the image set's files."""
        known = getattr(self.pixels, "fingerprint", None)
        return known or hashlib.sha256("\n".join(self.names).encode()).hexdigest()


def open_images(
    X: Any, short_side: int, store: str | Path | None = None, srgb: bool = False
) -> Images:
    """Open images in any of the forms that the interface takes.

    X: path of a folder or zip; list of paths or PIL images; uint8 array (N, H, W, 3); or a
    map-style dataset (`len`, index) whose items are images or tuples that begin with one.
    short_side: pixels to which larger files are reduced; store: folder in which a decoded folder
    or zip is kept for the next time, None: a temporary one; srgb: convert colors by the files'
    profiles, pixels are taken as they are. ValueError names what is wrong.
    """
    if isinstance(X, (str, Path)):
        return _folder(Path(X), short_side, store, srgb)
    if isinstance(X, np.ndarray) and X.dtype != object:
        return _array(X)
    if not hasattr(X, "__len__") or not hasattr(X, "__getitem__"):
        raise UserError(
            f"X: {type(X).__name__} is none of the forms that are read; give a folder, a zip, a list of "
            "paths or PIL images, a uint8 array (N, H, W, 3) or a map-style dataset."
        )
    if isinstance(X, (list, tuple, np.ndarray)):
        return _sequence(list(X), short_side, srgb)
    names = [f"{i:06d}" for i in range(len(X))]
    read = _Lazy(len(X), lambda i: _item(X[i], i, short_side, srgb))
    return Images(read, names, type(X).__name__, _reread(X, short_side, srgb))


def _folder(path: Path, short_side: int, store: str | Path | None, srgb: bool) -> Images:
    closing = contextlib.ExitStack()
    root = store or closing.enter_context(
        tempfile.TemporaryDirectory(prefix="ueo-", ignore_cleanup_errors=True)
    )
    try:
        opened = Store(Path(root), short_side, srgb)
        report = opened.ingest(path)
        if report.skipped:
            first = "; ".join(f"{s.name}: {s.reason}" for s in report.skipped[:3])
            more = f" and {len(report.skipped) - 3} more" if len(report.skipped) > 3 else ""
            warnings.warn(
                f"{len(report.skipped)} files of {path} are not used ({first}{more})", stacklevel=4
            )
        if report.set_id is None:
            raise UserError(f"X: {path} holds no usable image; choose another folder or zip.")
        images = opened.open(report.set_id)
    except BaseException:
        closing.close()
        raise
    source = path.resolve()

    @contextlib.contextmanager
    def reopen() -> Iterator[ImageSource]:
        # Without the source, a table can still be written.
        with Originals(Path(root), images, source if source.exists() else None) as originals:
            yield StoredImages(images, originals)

    return Images(
        images, list(images.names), path.stem, reopen, folder_labels(images), images.copies, closing
    )


def _reread(X: Any, short_side: int, srgb: bool) -> Reopen:
    return lambda: contextlib.nullcontext(_Items(X, short_side, srgb))


def _array(X: NDArray) -> Images:
    if X.dtype != np.uint8 or X.ndim != 4 or X.shape[-1] != 3:
        raise UserError(
            f"X: an array of {X.dtype} with shape {X.shape}; give uint8 with shape (N, H, W, 3), RGB."
        )
    names = [f"{i:06d}" for i in range(len(X))]
    return Images(_Held(X), names, "array", _reread(X, 0, False))


def _sequence(X: list, short_side: int, srgb: bool) -> Images:
    """A list is read once and held: a file that cannot be read is an error, not a gap."""
    paths = [isinstance(x, (str, Path)) for x in X]
    names = [
        str(x) if is_path else f"{i:06d}"
        for i, (x, is_path) in enumerate(zip(X, paths, strict=True))
    ]
    held = _Held([_item(x, i, short_side, srgb) for i, x in enumerate(X)])
    return Images(held, names, "list", _reread(X, short_side, srgb))


def _item(item: Any, i: int, short_side: int, srgb: bool) -> np.ndarray:
    """One image as pixels. item: a path, a PIL image, an array, or a tuple that begins with one."""
    if isinstance(item, tuple) and item:
        item = item[0]  # what follows may be a label, which is not read here
    name = f"X[{i}]"
    if isinstance(item, (str, Path)):
        name, data = f"X[{i}] ({item})", _bytes(Path(item), i)
    elif isinstance(item, Image.Image):
        data = _png(item)
    elif isinstance(item, np.ndarray):
        if item.dtype != np.uint8 or item.ndim != 3 or item.shape[-1] != 3:
            raise UserError(
                f"{name}: an array of {item.dtype} with shape {item.shape}; give uint8 (H, W, 3), RGB."
            )
        return item
    else:
        raise UserError(
            f"{name}: {type(item).__name__} is no image; give a path, a PIL image or a uint8 array (H, W, 3)."
        )
    return _decoded(name, data, short_side, srgb).pixels


def _decoded(name: str, data: bytes, short_side: int, srgb: bool) -> Decoded:
    try:
        return decode(
            data, short_side, Limits.configured(), lambda n: contextlib.nullcontext(), srgb
        )
    except RejectedFile as error:
        raise UserError(f"{name}: {error}; leave it out or replace it.") from error


def _bytes(path: Path, i: int) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(
            f"X[{i}] ({path}): it cannot be read ({error.strerror}); check the path."
        ) from error


def _png(image: Image.Image) -> bytes:
    """By way of a file's bytes, so that there is one way in which images are read."""
    buffer = io.BytesIO()
    image = ImageOps.exif_transpose(image)
    if image.mode not in ("1", "L", "LA", "I;16", "P", "RGB", "RGBA"):
        image = image.convert("RGB")
    image.save(buffer, "PNG", compress_level=0)
    return buffer.getvalue()


class _Held:
    """Pixels in memory."""

    def __init__(self, arrays: Sequence[np.ndarray] | NDArray):
        self.arrays = arrays

    def __len__(self) -> int:
        return len(self.arrays)

    def pixels(self, i: int) -> np.ndarray:
        return self.arrays[i]


class _Lazy:
    """Pixels of a dataset, asked for anew each time: it may be larger than memory."""

    def __init__(self, n: int, read: Callable[[int], np.ndarray]):
        self._n, self._read = n, read

    def __len__(self) -> int:
        return self._n

    def pixels(self, i: int) -> np.ndarray:
        return self._read(i)


class _Items:
    """The items of a list, an array or a dataset, as an export writes them: read anew, one by one."""

    def __init__(self, X: Any, short_side: int, srgb: bool):
        self._items, self._short_side, self._srgb = X, short_side, srgb

    def read(self, i: int) -> bytes | None:
        """The bytes of an item's file; None where it is pixels already."""
        return _bytes(Path(item), i) if isinstance(item := self._of(i), (str, Path)) else None

    def pixels(self, i: int) -> np.ndarray:
        return _item(self._items[i], i, self._short_side, self._srgb)

    def size(self, i: int) -> tuple[int, int]:
        path = Path(self._of(i))
        found = _decoded(str(path), _bytes(path, i), self._short_side, self._srgb)
        return found.width, found.height

    def _of(self, i: int) -> Any:
        item = self._items[i]
        return item[0] if isinstance(item, tuple) and item else item
