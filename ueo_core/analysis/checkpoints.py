"""Checkpoints of a finished run: their steps, and scoring one on request.

A run keeps the adapter of every epoch, but scores all images only with the first and the last.
The others are scored on request, once; the result is kept in the run's folder.
"""

from collections.abc import Callable, Sequence

from ueo_core.analysis.run_result import file_of_step, final_step
from ueo_core.runs.folder import RunFolder


def checkpoint_steps(folder: RunFolder) -> list[int]:
    """The steps that can be shown, ascending: 0 (zero-shot), every checkpoint, the final one."""
    final = final_step(folder)
    return sorted({0, final, *(s for s in folder.checkpoints() if s < final)})


def recommended_step(folder: RunFolder) -> int | None:
    """The step whose model a run recommends; None where it is the last, or no point of the run."""
    guard = (folder.result() or {}).get("guard") or {}
    named = guard.get("model") or ""
    if named == "zero-shot":
        return 0
    return int(named) if named.isdigit() and int(named) != final_step(folder) else None


def unscored_steps(folder: RunFolder) -> list[int]:
    """Those of `checkpoint_steps` that have to be scored before they can be shown."""
    final = final_step(folder)
    return [s for s in checkpoint_steps(folder) if not file_of_step(folder, s, final).is_file()]


def score_checkpoints(
    folder: RunFolder,
    steps: Sequence[int],
    progress: Callable[[int, int], None] = lambda done, total: None,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Write features and cosines of all images of the run with the model after each of `steps`.

    progress(images done, images in total) is called after every batch, and `check` may raise to
    cancel. A step is written completely or not at all, so finished steps are kept. UserError if
    the backbone or the images are missing.
    """
    # torch takes seconds to import; a page that only reads results must not wait for it.
    from ueo_core.models import backbones
    from ueo_core.models.adapted_clip import AdaptedCLIP
    from ueo_core.runs.model_cache import as_begun
    from ueo_core.runs.scoring import Scorer
    from ueo_core.runs.worker import open_image_set
    from ueo_core.utils.memory import reuse_freed_memory

    settings, config, final = folder.settings, folder.config, final_step(folder)
    loaded = backbones.load(settings.backbone, settings.pretrained, settings.device)
    backbone = as_begun(folder, loaded)
    model = AdaptedCLIP(
        backbone,
        config["classes"],
        settings.prompt,
        templates=settings.templates,
        synonyms=config["synonyms"],
    )
    pool = open_image_set(config["pool"], backbone.store_side)
    held = config["holdout"]
    holdout = open_image_set(held, backbone.store_side) if held else None
    for place, step in enumerate(steps):

        def tell(phase: str, done: int, total: int, place: int = place) -> None:
            progress(place * total + done, len(steps) * total)
            check()

        model.load_adapter(folder.checkpoint(step))
        with reuse_freed_memory(model.device):
            found = Scorer(folder, model, pool, holdout, tell).encode_all("scoring")
        path = file_of_step(folder, step, final)
        path.parent.mkdir(exist_ok=True)
        folder.save_tensors(str(path.relative_to(folder.path).with_suffix("")), found)
