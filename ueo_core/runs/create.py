"""Create the folder of a queued run from image sets, class names and settings."""

import platform
import time
from importlib.metadata import version
from pathlib import Path

from ueo_core.config.settings import Settings
from ueo_core.data.class_names import Synonyms
from ueo_core.data.image_set import ImageSet
from ueo_core.data.store import Store
from ueo_core.runs.folder import RunFolder

PACKAGES = ("torch", "torchvision", "open_clip_torch", "numpy", "pillow")


def package_versions() -> dict[str, str]:
    """The versions of the packages that affect results, and of Python. → version by name"""
    return {p: version(p) for p in PACKAGES} | {"python": platform.python_version()}


def reference(store: Store, images: ImageSet) -> dict:
    """The entry for an image set in a run's config: enough to open and to identify it."""
    return {
        "store": str(store.root),
        "set": images.id,
        "name": images.name,
        "fingerprint": images.fingerprint,
        "n": len(images),
        "srgb": images.srgb,
    }


def create_run(
    path: Path,
    settings: Settings,
    classes: list[str],
    pool: dict,
    pool_labels: list[str | None] | None = None,
    holdout: dict | None = None,
    holdout_labels: list[str | None] | None = None,
    title: str | None = None,
    request: str | None = None,
    synonyms: Synonyms | None = None,
) -> RunFolder:
    """Make the folder of a run that can be queued.

    pool, holdout: from `reference`; the holdout is a test set, used for scoring only. Labels are
    names by image, for scoring only. request: an id by which a second click of the same button
    finds this run instead of starting another; synonyms: further names by class. UserError as in `RunFolder.create`.
    """
    config = {
        "title": title or f"{settings.method} · {settings.backbone} · {pool['name']}",
        "created": time.time(),
        "request": request,
        "settings": settings.to_json(),
        "classes": list(classes),
        "synonyms": {name: list(more) for name, more in (synonyms or {}).items() if more},
        "pool": pool,
        "holdout": holdout,
        "versions": package_versions(),
    }
    return RunFolder.create(path, config, {"pool": pool_labels, "holdout": holdout_labels})
