"""The photo wall as an animated GIF for slides: every photo moves from zero-shot to the end of a run."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ueo_core.utils.errors import UserError

WIDTH, HEIGHT = 960, 540  # pixels
_MARGIN, _HEAD, _TITLE, _GAP = 14, 22, 40, 2
_LARGEST = 64  # of a photo
_MOVES, _MOVE_MS, _HOLD_MS, _END_MS = 6, 60, 900, 3000
_PAPER, _INK, _UNKNOWN = "#ffffff", "#222222", "#D55E00"
_COLUMNS = 6  # of classes, at most; the unknown have their place at the right

# One point of the run: its title, the class of every photo, and whether it is unknown.
Point = tuple[str, Sequence[int], Sequence[bool]]


def film(
    points: Sequence[Point],
    thumbnails: Sequence[bytes],
    classes: Sequence[str],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> bytes:
    """An animated GIF, WIDTH × HEIGHT pixels, that repeats.

    points: two or more, each for all photos; thumbnails: JPEG of each photo, empty where it is gone;
    progress(images done, images in total) may raise to cancel. UserError for fewer than two points.
    """
    if len(points) < 2:
        raise UserError("Film: it needs a run that has taken a step; adapt to the photos first.")
    points, classes = _without_empty_classes(points, classes)
    grid = _grid(points, len(classes))
    photos = [_photo(jpeg, grid.side) for jpeg in thumbnails]
    places = [grid.places(prediction, unknown) for _, prediction, unknown in points]
    total = (len(points) - 1) * _MOVES + 1
    images, durations = [], []
    palette: Image.Image | None = None
    for k, (title, prediction, unknown) in enumerate(points):
        moves = _MOVES if k else 1
        for m in range(1, moves + 1):
            share = m / moves
            eased = share * share * (3 - 2 * share)
            now = places[k] if not k else places[k - 1] + eased * (places[k] - places[k - 1])
            picture = _draw(title, photos, now, prediction, unknown, classes, grid)
            palette = palette or picture.quantize(255)
            images.append(picture.quantize(palette=palette, dither=Image.Dither.NONE))
            durations.append(_MOVE_MS)
            progress(len(images), total)
        durations[-1] = _END_MS if k == len(points) - 1 else _HOLD_MS
    out = io.BytesIO()
    images[0].save(
        out,
        "GIF",
        save_all=True,
        append_images=images[1:],
        duration=durations,
        loop=0,
        optimize=False,
    )
    return out.getvalue()


@dataclass(frozen=True)
class _Grid:
    """Where groups have their places: columns of classes, and the unknown beside them, `units` columns wide."""

    classes: int
    columns: int
    units: int
    side: int  # of a photo, pixels

    @property
    def width(self) -> float:
        return (WIDTH - 2 * _MARGIN) / (self.columns + self.units)

    def in_row(self, unknown: bool) -> int:
        room = self.width * (self.units if unknown else 1) - 10
        return max(1, int(room // (self.side + _GAP)))

    def groups(self, prediction, unknown) -> list[tuple[float, float, int]]:
        """Left, top and rows of every group's photos: the classes, then the unknown."""
        prediction, unknown = np.asarray(prediction), np.asarray(unknown, bool)
        ends, found = [float(_TITLE)] * self.columns, []
        for c in range(self.classes):
            rows = -(-int((prediction[~unknown] == c).sum()) // self.in_row(False))
            column = c % self.columns
            top = ends[column] + _HEAD
            found.append((_MARGIN + column * self.width, top, rows))
            ends[column] = top + rows * (self.side + _GAP) + 6
        rows = -(-int(unknown.sum()) // self.in_row(True))
        return [*found, (_MARGIN + self.columns * self.width, float(_TITLE + _HEAD), rows)]

    def fits(self, point: Point) -> bool:
        groups = self.groups(*point[1:])
        return max(top + rows * (self.side + _GAP) for _, top, rows in groups) <= HEIGHT

    def places(self, prediction, unknown) -> NDArray[np.floating]:
        """Left and top of every photo. (N, 2)"""
        prediction, unknown = np.asarray(prediction), np.asarray(unknown, bool)
        own = np.where(unknown, self.classes, prediction)
        places = np.zeros((len(own), 2))
        for group, (left, top, _) in enumerate(self.groups(prediction, unknown)):
            members = np.flatnonzero(own == group)
            row, column = np.divmod(np.arange(len(members)), self.in_row(group == self.classes))
            places[members, 0] = left + column * (self.side + _GAP)
            places[members, 1] = top + row * (self.side + _GAP)
        return places


def _grid(points: Sequence[Point], classes: int) -> _Grid:
    """The grid with the largest photos at which every point of the run fits the picture."""
    for side in range(_LARGEST, 6, -2):
        for columns, units in product(range(min(_COLUMNS, classes), 0, -1), range(1, 4)):
            grid = _Grid(classes, columns, units, side)
            if all(map(grid.fits, points)):
                return grid
    raise UserError(
        f"Film: {len(points[0][1]):,} photos in {classes} classes do not fit one picture; show fewer."
    )


def _without_empty_classes(
    points: Sequence[Point], classes: Sequence[str]
) -> tuple[list[Point], list[str]]:
    """The same with only those classes that some photo is predicted as at some point."""
    used = sorted(
        {
            int(c)
            for _, prediction, unknown in points
            for c in np.asarray(prediction)[~np.asarray(unknown, bool)]
        }
    )
    place = np.zeros(len(classes), np.int64)
    place[used] = np.arange(len(used))
    kept = [
        (title, place[np.asarray(prediction)], unknown) for title, prediction, unknown in points
    ]
    return kept, [classes[c] for c in used] or [classes[0]]


def _photo(jpeg: bytes, side: int) -> Image.Image:
    if not jpeg:
        return Image.new("RGB", (side, side), "#cccccc")
    image = Image.open(io.BytesIO(jpeg)).convert("RGB")
    short = min(image.size)
    left, top = (image.width - short) // 2, (image.height - short) // 2
    return image.crop((left, top, left + short, top + short)).resize(
        (side, side), Image.Resampling.BOX
    )


def _draw(title, photos, places, prediction, unknown, classes, grid: _Grid) -> Image.Image:
    picture = Image.new("RGB", (WIDTH, HEIGHT), _PAPER)
    pen = ImageDraw.Draw(picture)
    pen.text((_MARGIN, 9), title, _INK, ImageFont.load_default(22))
    small = ImageFont.load_default(14)
    names = [*classes, "unknown"]
    counts = np.bincount(
        np.where(np.asarray(unknown, bool), len(classes), np.asarray(prediction)),
        minlength=len(names),
    )
    tops = grid.groups(prediction, unknown)
    for group, (name, n, (left, top, _)) in enumerate(zip(names, counts, tops, strict=True)):
        color = _UNKNOWN if group == len(classes) else _INK
        pen.text((left, top - _HEAD + 3), f"{name[:24]}  {n}", color, small)
    for photo, (left, top) in zip(photos, places, strict=True):
        picture.paste(photo, (round(left), round(top)))
    return picture
