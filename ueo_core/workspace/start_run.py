"""From a dataset and settings to a queued run, once for any number of clicks."""

from pathlib import Path
from typing import TYPE_CHECKING

from ueo_core.config.methods import METHODS
from ueo_core.config.settings import Settings
from ueo_core.runs.create import create_run
from ueo_core.runs.manager import Manager
from ueo_core.utils.errors import UserError

if TYPE_CHECKING:
    from ueo_core.workspace.dataset import Dataset


def default_title(dataset: "Dataset", settings: Settings) -> str:
    """The default name of a run: method, backbone, dataset."""
    backbone = settings.backbone
    backbone = Path(backbone).stem if backbone.endswith(".json") else backbone
    return f"{METHODS[settings.method].title} · {backbone} · {dataset.title}"


def start_run(
    manager: Manager,
    dataset: "Dataset",
    settings: Settings,
    request: str,
    title: str | None = None,
) -> str:
    """Queue a run of the dataset. → its id; the same `request` always gives the same run.

    UserError when the dataset lacks class names, or its images were deleted.
    """
    if (known := manager.by_request(request)) is not None:
        return known
    if not dataset.ready:
        raise UserError(
            f"Dataset “{dataset.title}”: it needs two images and two class names; add them on the Data page."
        )
    for part in ("pool", "holdout"):
        if part == "pool" or dataset.holdout:
            dataset.images(part)  # raises when they are gone
    labels = dataset.labels()
    folder = create_run(
        manager.new_path(),
        settings,
        list(dataset.classes),
        dataset.pool,
        labels["pool"],
        dataset.holdout,
        labels["holdout"],
        title=title or default_title(dataset, settings),
        request=request,
        synonyms=dataset.synonyms,
    )
    return manager.submit(folder)
