"""From image sets, class names and settings to the folder of a queued run."""

import platform
import time
from importlib.metadata import version
from pathlib import Path

from ueo_core.config.settings import Settings
from ueo_core.data.image_set import ImageSet
from ueo_core.data.store import Store
from ueo_core.runs.folder import RunFolder

PACKAGES = ("torch", "torchvision", "open_clip_torch", "numpy", "pillow")


def package_versions() -> dict[str, str]:
    """What a result was made with: version by package, and Python's."""
    return {p: version(p) for p in PACKAGES} | {"python": platform.python_version()}


def reference(store: Store, images: ImageSet) -> dict:
    """What a run's config keeps of an image set: enough to open it and to know it again."""
    return {
        "store": str(store.root),
        "set": images.id,
        "name": images.name,
        "fingerprint": images.fingerprint,
        "n": len(images),
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
) -> RunFolder:
    """Make a run's folder, ready to be carried out.

    pool, holdout: from `reference`; the holdout is a test set that is only ever scored.
    Labels are names by image, for scoring only; request: the id that makes a second
    click of the same button find this run instead of starting another.
    """
    config = {
        "title": title or f"{settings.method} · {settings.backbone} · {pool['name']}",
        "created": time.time(),
        "request": request,
        "settings": settings.to_json(),
        "classes": list(classes),
        "pool": pool,
        "holdout": holdout,
        "versions": package_versions(),
    }
    return RunFolder.create(path, config, {"pool": pool_labels, "holdout": holdout_labels})
