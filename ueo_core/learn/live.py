"""The live run of Learn: the built-in problem, started in step mode."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ueo_core.config.settings import Settings
from ueo_core.runs.create import create_run
from ueo_core.runs.folder import RunFolder
from ueo_core.runs.manager import Manager
from ueo_core.workspace.dataset import sample_dataset

if TYPE_CHECKING:  # pages ask for the newest run before torch is loaded
    from torch import Tensor

REQUEST = "learn-"  # prefix of the request ids of this page's runs
TITLE = "Learn: one step at a time"


def start_run(
    manager: Manager,
    backbone: str,
    request: str,
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """Create a run of the built-in problem and take its first step. → run id

    The same request gives the same run. The first time, drawing the images takes seconds;
    `progress(done, total)` counts them.
    """
    request = REQUEST + request
    if (known := manager.by_request(request)) is not None:
        return known
    dataset = sample_dataset(progress=progress)
    labels = dataset.labels()  # for scoring and colors only
    folder = create_run(
        manager.new_path(),
        Settings.for_backbone(backbone),
        list(dataset.classes),
        dataset.pool,
        labels["pool"],
        dataset.holdout,
        labels["holdout"],
        title=TITLE,
        request=request,
        synonyms=dataset.synonyms,
    )
    # Paused before its first step, so that the first `step` is like every other.
    folder.set_state("paused", reason="Ready for its first step.")
    manager.act(folder.id, "step")
    return folder.id


def newest(manager: Manager) -> str | None:
    """The latest run that this page started, for a reload or another viewer; None without one."""
    for run in manager.ids()[:50]:
        if manager.request_of(run).startswith(REQUEST):
            return run
    return None


def latest_adapter(path: Path) -> "tuple[int, dict[str, Tensor]] | None":
    """Step and adapter of a run's last checkpoint; None before there is one after step 0."""
    newest = RunFolder(path).newest_checkpoint()
    return newest[:2] if newest and newest[0] > 0 else None
