"""New images that a model has classified; their predictions are stored beside it."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ueo_core.data.image_set import ImageSet
from ueo_core.data.intake_report import IntakeReport
from ueo_core.data.sources import within_roots
from ueo_core.data.store import Store
from ueo_core.inference.adapter_file import AdapterFile
from ueo_core.inference.predictions import Predictions
from ueo_core.inference.score_cache import scores_file
from ueo_core.runs.folder import IMAGE_SETS, RunFolder
from ueo_core.utils.background_jobs import Job
from ueo_core.utils.errors import UserError
from ueo_core.utils.tensor_files import StoredRows, stored_rows
from ueo_core.workspace import prediction_cache
from ueo_core.workspace.upload import Spooled, add_path_to_store, add_upload_to_store, roots

# short side in pixels → the image set's reference, None without a usable image; the report
Take = Callable[[int], tuple[dict | None, IntakeReport]]


@dataclass(frozen=True)
class ClassifiedSet:
    """One image set that a model has classified."""

    id: str  # "pool", "holdout", or the name of the kept file
    title: str
    reference: dict  # of the image set, see runs.reference
    created: float  # seconds since the epoch
    skipped: int = 0  # files of the source that were no usable image

    def images(self) -> ImageSet:
        """UserError when they were deleted from the store."""
        return Store(Path(self.reference["store"])).open(self.reference["set"])

    def report(self) -> IntakeReport:
        """The report of their import. UserError when they were deleted from the store."""
        return Store(Path(self.reference["store"])).report(self.reference["set"])


def classified_sets(adapter_file: AdapterFile) -> list[ClassifiedSet]:
    """The sets that the model has classified: new ones, the newest first, then a run's own."""
    found = []
    for id, about in prediction_cache.read_all(adapter_file.path.parent):
        # With another adapter than then, the run would now predict something else.
        if about["delta"] == adapter_file.digest:
            shown = (about[k] for k in ("title", "reference", "created", "skipped"))
            found.append(ClassifiedSet(id, *shown))
    found.sort(key=lambda a: -a.created)
    if adapter_file.run is not None and (
        not adapter_file.guarded or adapter_file.own_predictions.is_file()
    ):
        config = RunFolder(adapter_file.run).config
        for part, kind in IMAGE_SETS.items():
            if config.get(part):
                title = f"{config[part]['name']}: {kind}"
                found.append(ClassifiedSet(part, title, config[part], config["created"]))
    return found


def predictions_of(adapter_file: AdapterFile, what: ClassifiedSet) -> Predictions:
    """The predictions for one of `classified_sets`. UserError when images or predictions are gone.

    The cosines stay in their file.
    """
    images = what.images()
    own = what.id in IMAGE_SETS
    folder = adapter_file.path.parent
    path = adapter_file.own_predictions if own else prediction_cache.path(folder, what.id)
    try:
        name = f"{what.id}_cosines" if own else prediction_cache.COSINES
        cosines = stored_rows(path, lambda found: found == name)[name]
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"Predictions for “{what.title}”: they cannot be read ({error}); classify the images again."
        ) from None
    if cosines.shape != (len(images), len(adapter_file.classes)):
        raise UserError(
            f"Predictions for “{what.title}”: they do not belong to these images; classify them again."
        )
    return Predictions.of_images(images, cosines, adapter_file.classes, adapter_file.logit_scale)


def features_of(adapter_file: AdapterFile, what: ClassifiedSet) -> StoredRows | None:
    """Unit features of the images under the model, (N, D); None unless they are a run's own images."""
    if what.id not in IMAGE_SETS:
        return None
    name = f"{what.id}_features"
    with suppress(OSError, ValueError):
        return stored_rows(adapter_file.own_predictions, lambda found: found == name).get(name)
    return None


def classify_uploads(job: Job, adapter_file: AdapterFile, spooled: Spooled) -> str:
    """Classify uploads; the spool is removed in any case. → id in `classified_sets`"""
    with spooled:
        return _classify(
            job,
            adapter_file,
            lambda side: add_upload_to_store(job, spooled, side, adapter_file.srgb),
        )


def classify_path(job: Job, adapter_file: AdapterFile, path: str) -> str:
    """Classify a folder or zip of this machine, inside the roots. → id in `classified_sets`"""
    within_roots(path, roots())  # refused before the model is loaded
    return _classify(
        job, adapter_file, lambda side: add_path_to_store(job, path, side, adapter_file.srgb)
    )


def _classify(job: Job, adapter_file: AdapterFile, take: Take) -> str:
    from ueo_core.inference.predict import cosine_batches, load_model
    from ueo_core.utils.memory import reuse_freed_memory

    job.begin("Loading the model")
    model = load_model(adapter_file)
    job.check()
    job.begin("Reading the images")
    side = model.backbone.store_side
    reference, report = take(side)
    job.check()
    if reference is None:
        raise no_usable_image(report)
    images = Store(Path(reference["store"]), side).open(reference["set"])
    job.begin(f"Classifying {len(images):,} images", len(images))

    def on_batch(done: int) -> None:
        job.advance(done, len(images))

    about = {
        "title": images.name,
        "reference": reference,
        "created": time.time(),
        "skipped": len(report.skipped),
        "delta": adapter_file.digest,
    }
    id = f"{images.id}-{adapter_file.digest[:8]}"
    shape = len(images), len(adapter_file.classes)
    with reuse_freed_memory(model.device):
        # Of many images and classes, the cosines would fill the memory.
        found = cosine_batches(model, images, on_batch)
        prediction_cache.write(adapter_file.path.parent, id, shape, found, about)
    return id


def no_usable_image(report: IntakeReport, source: str | None = None) -> UserError:
    """The error for a source without a usable image."""
    n = len(report.skipped)
    first = f", for example {s.name}: {s.reason}" if (s := next(iter(report.skipped), None)) else ""
    return UserError(
        f"Source “{source or report.name}”: it has no usable image ({n} file{'s' * (n != 1)} "
        f"skipped{first}); choose another."
    )


def delete_predictions(adapter_file: AdapterFile, what: ClassifiedSet) -> None:
    """Delete the predictions for a newly classified set; its images stay in the store until a clean-up."""
    if what.id not in IMAGE_SETS:
        file = prediction_cache.path(adapter_file.path.parent, what.id)
        for path in (file, scores_file(file, prediction_cache.COSINES)):
            path.unlink(missing_ok=True)
