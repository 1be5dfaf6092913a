"""From files to a result on a GPU: an adaptation to photos of camera size, and many predictions."""

import contextlib
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

from ueo_core.bench.gpu.agreement import loaded
from ueo_core.bench.names import class_names
from ueo_core.bench.photos import HEIGHT, WIDTH, photo
from ueo_core.config.settings import Settings
from ueo_core.data.limits import Limits
from ueo_core.data.store import Store
from ueo_core.data.stream import open_stream
from ueo_core.inference.prediction_parts import PartOptions, write_parts
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.models.backbones import pick_device
from ueo_core.runs.create import create_run, reference
from ueo_core.runs.model_cache import ModelCache
from ueo_core.runs.worker import execute
from ueo_core.utils.errors import UserError

DISTINCT = 16  # pictures; the other files are these with a number behind their last byte
EPOCHS = 10  # enough to see both parts; a preset has up to 50
SMALL = 512, 384  # width and height in pixels of the images of a data set


def write_files(folder: Path, first: int, last: int, width: int, height: int) -> None:
    """JPEG files number first … last − 1, all of different bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor() as pool:
        pictures = list(pool.map(lambda i: photo(i, width, height), range(DISTINCT)))
    for i in range(first, last):
        content = pictures[i % DISTINCT] + i.to_bytes(4, "big")
        (folder / f"{i:06d}.jpg").write_bytes(content)


@contextlib.contextmanager
def seconds(found: dict[str, float], name: str) -> Iterator[None]:
    """Write the duration of the block into `found`."""
    began = time.perf_counter()
    yield
    found[name] = round(time.perf_counter() - began, 2)


def photo_adaptation(
    name: str, photos: int, device: str, size: tuple[int, int] = (WIDTH, HEIGHT)
) -> dict:
    """A run on photos from disk, with its measurements and its safety check. → seconds of both parts"""
    found: dict = {"backbone": name, "photos": photos}
    backbone = loaded(name, pick_device(device))
    settings = Settings.for_backbone(name, device=device, epochs=EPOCHS)
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder) / "photos", 0, photos, *size)
        with seconds(found, "import"):
            store = Store(Path(folder) / "store", backbone.store_side)
            report = store.ingest(Path(folder) / "photos")
        assert report.set_id is not None  # every photo is usable
        cache = ModelCache()
        cache.put(settings, backbone)
        images = store.open(report.set_id)
        where = Path(folder) / "run"
        with seconds(found, "run"):
            run = create_run(where, settings, class_names(10), reference(store, images))
            state = execute(run, cache=cache)
        if state["state"] != "finished":
            raise UserError(state["reason"])
    return found | {"epochs": settings.epochs}


def bulk_prediction(name: str, counts: tuple[int, int], device: str) -> dict:
    """Seconds of `predict --parquet` on two numbers of images, and what each further image takes."""
    model = AdaptedCLIP(loaded(name, pick_device(device)), class_names(10))
    found: dict = {"backbone": name, "images": list(counts), "seconds": []}
    with tempfile.TemporaryDirectory() as folder:
        images, out = Path(folder) / "images", Path(folder) / "out"
        for number, (before, count) in enumerate(pairwise((0, *counts))):
            write_files(images, before, count, *SMALL)
            took: dict[str, float] = {}
            with (
                seconds(took, "all"),
                open_stream(images, Limits.configured(), Path(folder) / "none") as source,
            ):
                write_parts(model, source, out / str(number), 0.5, PartOptions())
            found["seconds"].append(took["all"])
    (a, b), (x, y) = counts, found["seconds"]
    return found | {"ms_per_image": round(1e3 * (y - x) / (b - a), 3)}
