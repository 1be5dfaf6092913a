"""What a run offers for use elsewhere: its delta and everything that says what it is.

This is the one place where the adapted model of a run is chosen: predictions, exports, the
report and the page all ask `read_offer`. The same file, carried elsewhere, is read the same way.
"""

import hashlib
import json
import math
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from ueo_core.config.settings import Settings
from ueo_core.data.class_names import check_class_names
from ueo_core.evaluation.ood_scores import DEFAULT_SCORE
from ueo_core.utils.errors import UserError

if TYPE_CHECKING:  # the page lists what there is before torch is loaded
    from ueo_core.models.adapted_clip import AdaptedCLIP

FORMAT = "ueo-studio-delta-1"
ADAPTER_NAME = "delta.safetensors"  # the last epoch, always
GUARDED = "guarded.safetensors"  # what the guard would offer in its place, where it would
GUARDED_PREDICTIONS = "guarded_answers"  # its cosines of the run's images


def describe(model: "AdaptedCLIP", config: dict, result: dict) -> dict:
    """The metadata of a run's delta. config: the run's; result: step, score, threshold, metrics."""
    from ueo_core import __version__

    backbone = model.backbone
    return {
        "format": FORMAT,
        "version": __version__,
        "versions": config["versions"],
        "created": time.time(),
        "title": config["title"],
        "backbone": backbone.name,
        "pretrained": backbone.pretrained,
        "weights": backbone.fingerprint,
        "architecture": backbone.architecture,
        "image_size": backbone.image_size,
        "mean": backbone.mean,
        "std": backbone.std,
        "logit_scale": model.logit_scale,
        "classes": model.classes,
        "prompt": model.prompt,
        "settings": config["settings"],
        "data": {k: config["pool"][k] for k in ("name", "fingerprint", "n")},
        **result,
    }


@dataclass(frozen=True)
class AdapterFile:
    """An adapted model to use: a delta file whose metadata has been read and checked."""

    path: Path  # the delta
    metadata: dict
    settings: Settings  # backbone and weights as they are to be loaded here
    run: Path | None = None  # the run's folder, where it is one's own

    @property
    def classes(self) -> list[str]:
        return self.metadata["classes"]

    @property
    def logit_scale(self) -> float:
        return self.metadata["logit_scale"]

    @property
    def threshold(self) -> float:
        """On the MCM score; from a mixture fitted to the pool without labels, so a guess."""
        return self.metadata["threshold"]

    @property
    def guard(self) -> dict | None:
        """The guard's choice, see `guard.Choice`; None where it was off."""
        return self.metadata.get("guard")

    @property
    def guarded(self) -> bool:
        """Whether this is the guard's choice in place of the last epoch."""
        return self.path.name == GUARDED

    @property
    def own_predictions(self) -> Path:
        """Where a run keeps the cosines of its own images under this very model."""
        return (
            self.path.parent / f"{GUARDED_PREDICTIONS if self.guarded else 'adapted'}.safetensors"
        )

    @property
    def title(self) -> str:
        return str(self.metadata.get("title") or self.path.parent.name)

    @cached_property
    def digest(self) -> str:
        """sha256 (hex) of the delta file: what was computed with it is known by this."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


def read_adapter_file(
    path: Path,
    backbone: str | None = None,
    pretrained: str | None = None,
    run: Path | None = None,
) -> AdapterFile:
    """Read and check an adapter file; no tensor is loaded.

    backbone, pretrained: where the model is on this machine, if it is not where the adapter was
    made; run: the folder of the run that it belongs to. UserError when the file is no adapter of
    the studio. A run's own adapter is found by `runs.run_adapter`.
    """
    path = Path(path)
    metadata = _metadata(path)
    here = {"backbone": backbone, "pretrained": pretrained}
    try:
        settings = Settings.from_json(metadata["settings"])
        settings = settings.changed(**{k: v for k, v in here.items() if v})
    except (TypeError, AttributeError) as error:
        raise _not_an_adapter(path, f"its settings cannot be read ({error})") from None
    return AdapterFile(path, metadata, settings, run)


def _metadata(path: Path) -> dict:
    try:
        with safe_open(path, "numpy") as file:
            found = {k: json.loads(v) for k, v in (file.metadata() or {}).items()}
    except FileNotFoundError:
        raise UserError(f"Delta “{path}”: there is no such file; check the path.") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise _not_an_adapter(path, f"it cannot be read ({error})") from None
    _check(path, found)
    return found


def _check(path: Path, found: dict) -> None:
    """Refuse metadata that a model cannot be made of; what merely informs may be missing."""
    if found.get("format") != FORMAT:
        raise _not_an_adapter(path, "it lacks the studio's metadata")
    kinds = {"classes": list, "prompt": str, "settings": dict, "backbone": str, "pretrained": str}
    for name, kind in kinds.items():
        if not isinstance(found.get(name), kind):
            raise _not_an_adapter(path, f"its {name} cannot be read")
    if not all(isinstance(name, str) for name in found["classes"]):
        raise _not_an_adapter(path, "its classes cannot be read")
    check_class_names(found["classes"])
    for name in ("threshold", "logit_scale"):
        if not _is_number(found.get(name)):
            raise _not_an_adapter(path, f"its {name} is no number")
    if found.get("score", DEFAULT_SCORE) != DEFAULT_SCORE:
        raise _not_an_adapter(
            path, f"its threshold is on the score {found['score']!r}, not {DEFAULT_SCORE}"
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _not_an_adapter(path: Path, why: str) -> UserError:
    return UserError(
        f"Delta “{path}”: {why}, so it is no delta of the studio; give a run's {ADAPTER_NAME}."
    )
