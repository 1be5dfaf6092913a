"""The film: a GIF whose photos are where their predictions put them."""

import io

import numpy as np
import pytest
from PIL import Image, ImageSequence

from ueo_core.export import film as module
from ueo_core.export.film import HEIGHT, WIDTH, film
from ueo_core.utils.errors import UserError

RED, GREEN = (220, 30, 30), (30, 170, 60)


def jpeg(color) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), color).save(out, "JPEG", quality=95)
    return out.getvalue()


def area(image: Image.Image, color) -> np.ndarray:
    """Columns of the pixels near a color."""
    pixels = np.asarray(image.convert("RGB")).astype(int)
    return np.nonzero(abs(pixels - color).max(2) < 40)[1]


def test_a_photo_moves_from_its_class_to_the_unknown():
    points = [("Zero-shot", [0, 1], [False, False]), ("Adapted", [0, 1], [False, True])]
    told = []
    made = film(
        points, [jpeg(RED), jpeg(GREEN)], ["cat", "dog"], lambda n, of: told.append((n, of))
    )
    frames = [f.copy() for f in ImageSequence.Iterator(Image.open(io.BytesIO(made)))]
    assert made.startswith(b"GIF89a") and frames[0].size == (WIDTH, HEIGHT)
    assert told[-1] == (len(told), len(told)) and len(frames) == len(told)
    assert area(frames[0], RED).mean() == pytest.approx(area(frames[-1], RED).mean(), abs=1)
    places = [area(f, GREEN).mean() for f in frames]
    assert places == sorted(places) and places[-1] - places[0] > WIDTH / 4
    assert area(frames[-1], GREEN).min() > 0.65 * WIDTH  # the column of the unknown


def test_many_photos_fit_and_do_not_overlap(monkeypatch):
    g = np.random.default_rng(0)
    prediction, unknown = g.integers(0, 20, 600), g.random(600) < 0.3
    grid = module._grid([("t", prediction, unknown)], 20)
    places, side = grid.places(prediction, unknown), grid.side
    assert len({tuple(p) for p in places}) == 600
    assert places.min() >= 0 and places[:, 0].max() + side <= WIDTH
    assert places[:, 1].max() + side <= HEIGHT


def test_classes_without_a_photo_take_no_place():
    points = [("a", [99, 3], [False, False]), ("b", [99, 99], [False, True])]
    kept, names = module._without_empty_classes(points, [f"c{i}" for i in range(100)])
    assert names == ["c3", "c99"]
    assert [list(p) for _, p, _ in kept] == [[1, 0], [1, 1]]
    assert len(film(points, [jpeg(RED), b""], [f"c{i}" for i in range(100)])) > 1000


def test_refusals_and_cancelling():
    with pytest.raises(UserError, match="has taken a step"):
        film([("a", [0], [False])], [b""], ["x"])
    crowd = ("a", np.arange(300) % 150, np.zeros(300, bool))
    with pytest.raises(UserError, match="do not fit one picture"):
        film([crowd, crowd], [b""] * 300, [str(i) for i in range(150)])

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        film([("a", [0], [False]), ("b", [0], [True])], [b""], ["x"], stop)
