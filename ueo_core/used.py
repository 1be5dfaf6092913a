"""New images that a model was asked about, kept beside it: classified once, looked at often."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from ueo_core import kept
from ueo_core.answers import Answers
from ueo_core.errors import UserError
from ueo_core.images import ImageSet, IntakeReport, Store, within_roots
from ueo_core.jobs import Job
from ueo_core.offered import Offer
from ueo_core.runs.folder import RunFolder
from ueo_core.taking_in import Spooled, ingest_path, ingest_spooled, roots

# Which images a run itself scored.
PARTS = {"pool": "the pile it was adapted to", "holdout": "its test set"}
# short side in pixels → the image set's reference, None without a usable image; the report
Take = Callable[[int], tuple[dict | None, IntakeReport]]


@dataclass(frozen=True)
class Asked:
    """One image set that a model has answered for."""

    id: str  # "pool", "holdout", or the name of the kept file
    title: str
    reference: dict  # of the image set, see runs.reference
    created: float  # seconds since the epoch
    skipped: int = 0  # files of the source that were no usable image

    def images(self) -> ImageSet:
        """UserError when they were deleted from the store."""
        return Store(Path(self.reference["store"])).open(self.reference["set"])

    def report(self) -> IntakeReport:
        """What the store said when it took them in. UserError when they were deleted from it."""
        return Store(Path(self.reference["store"])).report(self.reference["set"])


def asked(offer: Offer) -> list[Asked]:
    """What the model has answered for: newly classified sets, the newest first, then a run's own."""
    found = []
    for id, about in kept.read_all(offer.path.parent):
        # A run that offers another delta than then would now say something else.
        if about["delta"] == offer.digest:
            shown = (about[k] for k in ("title", "reference", "created", "skipped"))
            found.append(Asked(id, *shown))
    found.sort(key=lambda a: -a.created)
    if offer.run is not None and (not offer.guarded or offer.own_answers.is_file()):
        config = RunFolder(offer.run).config
        for part, about in PARTS.items():
            if config.get(part):
                title = f"{config[part]['name']}: {about}"
                found.append(Asked(part, title, config[part], config["created"]))
    return found


def answers_of(offer: Offer, what: Asked) -> Answers:
    """The answers for one of `asked`. UserError when images or answers are gone."""
    names = what.images().names
    own = what.id in PARTS
    folder = offer.path.parent
    path = offer.own_answers if own else kept.path(folder, what.id)
    try:
        with safe_open(path, "numpy") as file:
            cosines = file.get_tensor(f"{what.id}_cosines" if own else kept.COSINES)
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"Answers for “{what.title}”: they cannot be read ({error}); classify the images again."
        ) from None
    if cosines.shape != (len(names), len(offer.classes)):
        raise UserError(
            f"Answers for “{what.title}”: they do not belong to these images; classify them again."
        )
    return Answers(names, cosines, offer.classes, offer.logit_scale)


def classify_uploads(job: Job, offer: Offer, spooled: Spooled) -> str:
    """Ask the model about uploads; the spool is removed in any case. → id in `asked`"""
    with spooled:
        return _classify(job, offer, lambda side: ingest_spooled(job, spooled, side))


def classify_path(job: Job, offer: Offer, path: str) -> str:
    """Ask the model about a folder or zip of this machine, inside the roots. → id in `asked`"""
    within_roots(path, roots())  # refused before the model is loaded
    return _classify(job, offer, lambda side: ingest_path(job, path, side))


def _classify(job: Job, offer: Offer, take: Take) -> str:
    from ueo_core.predict import cosines, fitted

    job.begin("Loading the model")
    model = fitted(offer)
    job.check()
    job.begin("Reading the images")
    side = model.backbone.store_side
    reference, report = take(side)
    job.check()
    if reference is None:
        raise useless(report)
    images = Store(Path(reference["store"]), side).open(reference["set"])
    job.begin(f"Classifying {len(images):,} images", len(images))

    def on_batch(done: int) -> None:
        job.check()
        job.progress(done, len(images))

    found = cosines(model, images, on_batch)
    return _keep(offer, images, reference, len(report.skipped), found)


def useless(report: IntakeReport, source: str | None = None) -> UserError:
    """Why nothing can be done with a source of which nothing is usable."""
    n = len(report.skipped)
    first = f", for example {s.name}: {s.reason}" if (s := next(iter(report.skipped), None)) else ""
    return UserError(
        f"Source “{source or report.name}”: it holds no usable image ({n} file{'s' * (n != 1)} "
        f"skipped{first}); choose another."
    )


def _keep(offer: Offer, images: ImageSet, reference: dict, skipped: int, cosines) -> str:
    about = {
        "title": images.name,
        "reference": reference,
        "created": time.time(),
        "skipped": skipped,
        "delta": offer.digest,
    }
    id = f"{images.id}-{offer.digest[:8]}"
    kept.write(offer.path.parent, id, cosines, about)
    return id


def forget(offer: Offer, what: Asked) -> None:
    """Forget the answers for a newly classified set; its images stay in the store until a clean-up."""
    if what.id not in PARTS:
        kept.path(offer.path.parent, what.id).unlink(missing_ok=True)
