"""Exports that a page offers for download: made as jobs, in the studio's folder `exports`."""

import contextlib
import time
from pathlib import Path

from ueo_core.data.image_set import ImageSet
from ueo_core.data.originals import Originals
from ueo_core.export.formats import MODELS, PREDICTIONS
from ueo_core.export.predicted_images import PredictedImages, Written
from ueo_core.inference.adapter_file import AdapterFile
from ueo_core.inference.predictions import Predictions
from ueo_core.utils.background_jobs import Job
from ueo_core.utils.files import unique_name
from ueo_core.utils.paths import store_root, studio_home
from ueo_core.utils.rows import Rows

_KEPT_SECONDS = 86_400  # an unused download is removed then


class StoredImages:
    """The images of a set: their originals where these still are, else as they are in the store."""

    def __init__(self, images: ImageSet, originals: Originals) -> None:
        self.read, self.pixels, self.size = originals.read, images.pixels, images.size


def export_predictions(
    job: Job,
    name: str,
    images: ImageSet,
    predictions: Predictions,
    threshold: float,
    title: str,
    features: Rows | None = None,
) -> Written:
    """A format of predictions as a job, see `PredictedImages`. → what was written, and where"""
    made = PREDICTIONS[name]
    job.begin(made.title, len(predictions.files))
    with Originals(store_root(), images) as originals:
        batch = PredictedImages(
            predictions, threshold, title, StoredImages(images, originals), features
        )
        return made.write(_place(made.name), batch, job.advance, Path(made.name).stem)


def export_model(job: Job, name: str, adapter_file: AdapterFile) -> Path:
    """A format of a model as a job. → the file"""
    job.begin(MODELS[name].title)
    out = _place(MODELS[name].name)
    MODELS[name].write(out, adapter_file)
    return out


def _place(name: str) -> Path:
    """A new path with the name's ending; downloads of more than a day ago are removed."""
    folder = studio_home() / "exports"
    for old in folder.glob("*"):
        with contextlib.suppress(OSError):
            if time.time() - old.stat().st_mtime > _KEPT_SECONDS:
                old.unlink()
    stem, dot, ending = name.rpartition(".")
    return folder / f"{stem}-{unique_name()}{dot}{ending}"
