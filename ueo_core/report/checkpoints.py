"""Checkpoints of a finished run: which there are, and scoring one that nobody has looked at yet.

A run keeps the delta of every epoch, but scores its images only under the first and the last.
The others are scored on request, once: the result stays in the run's folder.
"""

from collections.abc import Callable, Sequence

from ueo_core.report.inspection import PARTS, file_of_step, final_step
from ueo_core.runs.folder import RunFolder


def checkpoint_steps(folder: RunFolder) -> list[int]:
    """The steps one can look at, ascending: 0 (zero-shot), every checkpoint, the final one."""
    final = final_step(folder)
    return sorted({0, final, *(s for s in folder.checkpoints() if s < final)})


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
    """Features and cosines of all images of the run under the model after each of `steps`.

    progress(images done, images in all) is told after every batch, and `check` may raise
    to leave; a step is written whole or not at all, so what is done stays done. UserError
    when the backbone or the images are no longer there.
    """
    import torch  # seconds to import: a page that only looks must not wait for it

    from ueo_core import backbones
    from ueo_core.adapt import image_features
    from ueo_core.adapted import AdaptedCLIP
    from ueo_core.runs.worker import open_images
    from ueo_core.views import Views

    settings, config, final = folder.settings, folder.config, final_step(folder)
    backbone = backbones.load(settings.backbone, settings.pretrained, settings.device)
    model = AdaptedCLIP(backbone, config["classes"], settings.prompt)
    sets = {
        name: Views(open_images(config[name], backbone.store_side), backbone)
        for name in PARTS
        if config[name] is not None
    }
    done, total = 0, len(steps) * sum(map(len, sets.values()))

    def tell(before: int, n: int) -> None:
        progress(before + n, total)
        check()

    for step in steps:
        model.load_delta(folder.checkpoint(step))
        with torch.no_grad():
            text = model.encode_text().cpu()
        found = {}
        for name, views in sets.items():
            features = image_features(model, views, on_batch=lambda n, before=done: tell(before, n))
            found[f"{name}_features"], found[f"{name}_cosines"] = features, features @ text.T
            done += len(views)
        path = file_of_step(folder, step, final)
        path.parent.mkdir(exist_ok=True)
        folder.save_tensors(str(path.relative_to(folder.path).with_suffix("")), found)
