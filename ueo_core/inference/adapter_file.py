"""Adapter files: the trained parameters of a run with the metadata that is needed to use them."""

import hashlib
import json
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open

from ueo_core.config.settings import Settings
from ueo_core.data.class_names import check_class_names, check_synonyms
from ueo_core.evaluation.ood_scores import DEFAULT_SCORE
from ueo_core.models.ranges import MOST_SCALE
from ueo_core.utils.errors import UserError
from ueo_core.utils.shapes import NUMBER, Maybe, check_shape

if TYPE_CHECKING:  # the page lists what there is before torch is loaded
    from ueo_core.models.adapted_clip import AdaptedCLIP

FORMAT = "ueo-studio-delta-1"
ADAPTER_NAME = "delta.safetensors"  # the last epoch of a run, always
GUARDED = "guarded.safetensors"  # the model that the safety check recommends, if it is another one
MOST_THRESHOLD, LONGEST_TEXT = 1e6, 1000  # a prompt has 77 tokens, at most
_SHAPE = {
    "classes": [str],
    "prompt": str,
    "settings": dict,
    "backbone": str,
    "pretrained": str,
    "logit_scale": NUMBER,
    "threshold": NUMBER,
    "title": Maybe(str),
    "templates": Maybe([str]),
    "architecture": Maybe(dict),
    "guard": Maybe({"share": NUMBER}),
    "weights": Maybe(str),
    "srgb": Maybe(bool),
}
GUARDED_PREDICTIONS = "guarded_answers"  # that model's cosines of the run's images


def describe(model: "AdaptedCLIP", config: dict, result: dict) -> dict:
    """The metadata of a run's adapter.

    config: of the run; result: step, score, threshold, metrics, guard.
    """
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
        **backbone.preprocessing.to_json(),
        "srgb": config["pool"].get("srgb", False),
        "logit_scale": model.logit_scale,
        "classes": model.classes,
        "prompt": model.prompt,
        "synonyms": model.texts.synonyms,
        "templates": list(model.texts.templates),
        "settings": config["settings"],
        "data": {k: config["pool"][k] for k in ("name", "fingerprint", "n")},
        **result,
    }


@dataclass(frozen=True)
class AdapterFile:
    """An adapter file whose metadata has been read and checked."""

    path: Path
    metadata: dict
    settings: Settings  # with the backbone and weights to load on this machine
    run: Path | None = None  # folder of the run that the file belongs to, if there is one

    @property
    def classes(self) -> list[str]:
        return self.metadata["classes"]

    @property
    def synonyms(self) -> dict[str, list[str]]:
        """Further names by class; an adapter of an earlier version has none."""
        return self.metadata.get("synonyms", {})

    @property
    def srgb(self) -> bool:
        """Whether the colors of its images were converted to sRGB; not with earlier versions."""
        return bool(self.metadata.get("srgb"))

    @property
    def logit_scale(self) -> float:
        return self.metadata["logit_scale"]

    @property
    def threshold(self) -> float:
        """On the MCM score: unsupervised (heuristic), from a mixture fitted to the pool."""
        return self.metadata["threshold"]

    @property
    def guard(self) -> dict | None:
        """Result of the safety check, see `guard_rule.Choice`; None where it was off."""
        return self.metadata.get("guard")

    @property
    def guarded(self) -> bool:
        """Whether this is the model recommended by the safety check instead of the last epoch."""
        return self.path.name == GUARDED

    @property
    def own_predictions(self) -> Path:
        """File with the cosines of the run's own images under this model."""
        return (
            self.path.parent / f"{GUARDED_PREDICTIONS if self.guarded else 'adapted'}.safetensors"
        )

    @property
    def title(self) -> str:
        return str(self.metadata.get("title") or self.path.parent.name)

    @cached_property
    def digest(self) -> str:
        """sha256 (hex) of the file; identifies what was computed with it."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


def read_adapter_file(
    path: Path,
    backbone: str | None = None,
    pretrained: str | None = None,
    run: Path | None = None,
) -> AdapterFile:
    """Read and check an adapter file; no tensor is loaded.

    backbone, pretrained: model and weights on this machine, if they are not at the same place as
    where the adapter was made; run: folder of the run that it belongs to. UserError when the file
    is not an adapter. The adapter of a run is found by `runs.run_adapter`.
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
        raise UserError(f"Adapter “{path}”: there is no such file; check the path.") from None
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise _not_an_adapter(path, f"it cannot be read ({error})") from None
    _check(path, found)
    return found


def _check(path: Path, found: dict) -> None:
    """Raise a UserError for missing metadata that is needed to build the model."""
    if found.get("format") != FORMAT:
        raise _not_an_adapter(path, "it has no metadata of UEO Studio")
    try:
        check_shape(found, _SHAPE)
        _check_ranges(found)
    except ValueError as error:
        raise _not_an_adapter(path, f"its metadata cannot be used ({error})") from None
    check_class_names(found["classes"])
    try:
        check_synonyms(found.get("synonyms", {}), found["classes"])
    except ValueError as error:
        raise _not_an_adapter(path, str(error)) from None
    if found.get("score", DEFAULT_SCORE) != DEFAULT_SCORE:
        raise _not_an_adapter(
            path, f"its threshold is for the score {found['score']!r}, not {DEFAULT_SCORE}"
        )


def _check_ranges(found: dict) -> None:
    """Raise a ValueError for values that no adapter of the studio has: they would be shown or computed with."""
    if not 0 < found["logit_scale"] <= MOST_SCALE:
        raise ValueError(f"its logit_scale is no number above 0 and up to {MOST_SCALE:g}")
    if not abs(found["threshold"]) <= MOST_THRESHOLD:  # also refuses NaN
        raise ValueError(f"its threshold is no number up to {MOST_THRESHOLD:g}")
    texts = [found["prompt"], found.get("title") or "", *found["classes"]]
    texts += found.get("templates") or []
    if (longest := max(map(len, texts))) > LONGEST_TEXT:
        raise ValueError(f"a text of it has {longest:,} characters, more than {LONGEST_TEXT:,}")
    guard = found.get("guard")
    if guard is not None and not 0 <= guard["share"] <= 1:
        raise ValueError("the share of its guard is not between 0 and 1")


def _not_an_adapter(path: Path, why: str) -> UserError:
    return UserError(
        f"Adapter “{path}”: {why}, so it is not an adapter of UEO Studio; use the file {ADAPTER_NAME} of a run."
    )
