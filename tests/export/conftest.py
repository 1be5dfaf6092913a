"""A folder of awkward photos with predictions, as every format gets them."""

import numpy as np
import pytest
from PIL import Image

from ueo_core.data.originals import Originals
from ueo_core.data.store import Store
from ueo_core.export.downloads import StoredImages
from ueo_core.export.predicted_images import PredictedImages
from ueo_core.inference.predictions import Predictions
from ueo_core.utils.paths import store_root

# A name that `datasets` takes for a split, one that a spreadsheet runs, one that is turned by its EXIF
# data, and two files with the same bytes. `gone.png` is deleted after it was read.
NAMES = ["a/test_1.png", "b/test_1.png", "cöpy & <1>.png", "gone.png", "turned.jpg"]
COPY = "z/cöpy of it.png"
CLASSES = ['key "ring" & <lock>', "unknown", "sea|lion"]
COSINES = np.array(
    [[0.4, 0.1, 0.0], [0.1, 0.4, 0.0], [0.2, 0.2, 0.1], [0.0, 0.1, 0.5], [0.5, 0.1, 0.0]],
    np.float32,
)
THRESHOLD = 0.36
FEATURES = np.eye(5, 8, dtype=np.float32)
FILES = sorted([*NAMES, COPY])
LABELS = {  # of each file; the third scores below the threshold
    "a/test_1.png": CLASSES[0],
    "b/test_1.png": CLASSES[1],
    "cöpy & <1>.png": "unknown (2)",
    "gone.png": CLASSES[2],
    "turned.jpg": CLASSES[0],
    COPY: "unknown (2)",
}


@pytest.fixture
def photos(tmp_path):
    g = np.random.default_rng(0)
    folder = tmp_path / "photos"
    for name in NAMES:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(g.integers(0, 256, (40, 60, 3), dtype=np.uint8))
        exif = Image.Exif()
        if name == "turned.jpg":
            exif[0x0112] = 6  # a quarter turn
        image.save(path, exif=exif)
    (folder / "z").mkdir()
    (folder / COPY).write_bytes((folder / "cöpy & <1>.png").read_bytes())
    return folder


@pytest.fixture
def batch(photos, monkeypatch):
    # The store remembers files that have not changed for two seconds; the test's are younger.
    monkeypatch.setattr("ueo_core.data.hash_cache._SETTLED_NS", -(10**12))
    store = Store(store_root(), 32)
    images = store.open(store.ingest(photos).set_id)
    assert images.names == NAMES
    (photos / "gone.png").unlink()
    predictions = Predictions.of_images(images, COSINES, CLASSES, 100.0)
    with Originals(store_root(), images, photos) as originals:
        source = StoredImages(images, originals)
        yield PredictedImages(predictions, THRESHOLD, 'a "run"', source, FEATURES)
