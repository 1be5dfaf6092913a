"""The numbers that the Live page draws, from a run's snapshot."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ueo_core.analysis.histograms import Bars, Densities, densities, histogram
from ueo_core.runs.downsample import decimated
from ueo_core.runs.snapshot import COUNTED, Snapshot

COLUMNS, SIGNS = 40, 150  # evaluations shown in the heat map of parameter change; in the curves
ID, OOD, ALL = "known", "unknown", "all images"

PHASES = {
    "": "",
    "waiting": "Waiting in the queue",
    "loading": "Loading the model",
    "measuring": "Scoring all images with the zero-shot model",
    "reading": "Computing the activations of all images",
    "choosing": "Choosing the learning rate",
    "adapting": "Adapting",
    "pausing": "Pausing after the current step",
    "scoring": "Scoring all images with the adapted model",
    "checking": "Safety check on random crops",
}


@dataclass(frozen=True)
class BorderlineImage:
    """An image with an uncertain zero-shot prediction: its prediction at step 0 and now."""

    image: int  # index within its set
    before: str
    now: str
    confidence: float  # max softmax at the logit scale, now

    @property
    def changed(self) -> bool:
        """Whether the prediction now differs from step 0."""
        return self.now != self.before


def within(snapshot: Snapshot, first: int, last: int | None) -> Snapshot:
    """The snapshot with only the steps `first` … `last` in its curves; None: to the end."""
    if last is None:
        return snapshot
    keep = lambda found: tuple(e for e in found if first <= e["step"] <= last)  # noqa: E731
    return replace(snapshot, series=keep(snapshot.series), evaluations=keep(snapshot.evaluations))


def _by_label(values: Sequence[float], ood: Sequence[bool | None]) -> dict[str, np.ndarray]:
    array = np.asarray(values, np.float64)
    if not len(ood):
        return {ALL: array}
    is_ood = np.array([o is True for o in ood], bool)
    is_id = np.array([o is False for o in ood], bool)
    groups = {ID: array[is_id], OOD: array[is_ood]}
    return {k: v for k, v in groups.items() if len(v)}


def weight_bars(snapshot: Snapshot) -> Bars | None:
    """Histogram of the pool's weights w(x), by known and unknown if there are labels."""
    if not snapshot.weights:
        return None
    return histogram(_by_label(snapshot.weights, snapshot.weights_ood))


def score_densities(snapshot: Snapshot) -> Densities | None:
    """Densities of MCM of the probe images at step 0 and now; groups: "now · known" and the like."""
    if not snapshot.evaluations:
        return None
    groups = {}
    for when, event in (("step 0", snapshot.evaluations[0]), ("now", snapshot.evaluations[-1])):
        for name, values in _by_label(event["mcm"], event["ood"]).items():
            groups[f"{when} · {name}"] = values
    return densities(groups)


def has_labels(snapshot: Snapshot) -> bool:
    """Whether the evaluations were scored against labels."""
    return bool(snapshot.evaluations) and snapshot.evaluations[0].get("acc") is not None


def progress_signs(snapshot: Snapshot, classes: int) -> dict[str, list[tuple[int, float]]]:
    """Indicators of quality by step, in percent: {"ACC": [(step, value), …], …}.

    With labels: ACC, AUC and HM. Without: the share of predictions equal to zero-shot's, the
    entropy of the mean prediction and the mean entropy H(p), both as a share of log C.
    """
    events = decimated(snapshot.evaluations, ("agreement",), SIGNS)
    if has_labels(snapshot):
        names = {"ACC": "acc", "AUC": "auc", "HM": "hm"}
        found = {
            title: [(e["step"], e[key]) for e in events if e.get(key) is not None]
            for title, key in names.items()
        }
        return {k: v for k, v in found.items() if v}
    return {
        "Same prediction": [(e["step"], e["agreement"]) for e in events],
        "Spread": [(e["step"], e["spread"]) for e in events],
        "Uncertainty": [(e["step"], 100 * e["entropy"] / math.log(classes)) for e in events],
    }


_WORDS = {
    "context": "prompt context",
    "bn": "norm",
    "ln": "norm",
    "norm": "norm",
    "ln_pre": "norm before the blocks",
    "ln_post": "norm after the blocks",
    "norm_pre": "norm before the blocks",
    "downsample": "shortcut norm",
}
_BLOCKS = {"layer": "stage", "stages": "stage", "blocks": "block", "resblocks": "block"}
_DROPPED = {"trunk", "transformer", "stem"}


def layer_title(name: str) -> str:
    """A readable name of a layer: "layer1.0.bn2" → "stage 1, block 1, norm 2".

    name: as in `AdaptedCLIP.change_by_layer`. Numbers in lists of modules count from 1; parts that are
    not known are kept.
    """
    words: list[str] = []
    for part in name.split("."):
        stem, number = part.rstrip("0123456789"), part[len(part.rstrip("0123456789")) :]
        if part in _DROPPED:
            continue
        if part in _WORDS:
            words.append(_WORDS[part])
        elif not stem:  # an index into the list named before it
            index, last = int(number) + 1, words[-1] if words else ""
            if last in ("stage", "block"):
                words[-1] = f"{last} {index}"
            elif last.startswith("block "):  # a list of lists: stages of blocks
                words[-1:] = [last.replace("block", "stage"), f"block {index}"]
            elif last != _WORDS["downsample"]:
                words.append(f"block {index}")
        elif stem in _BLOCKS:
            words.append(f"{_BLOCKS[stem]} {number}".strip())
        elif stem.rstrip("_") in _WORDS:
            words.append(f"{_WORDS[stem.rstrip('_')]} {number}".strip())
        else:
            words.append(part)
    return ", ".join(words)


def change_by_layer(snapshot: Snapshot) -> tuple[list[int], list[str], np.ndarray]:
    """Relative parameter change in percent. → steps (S), layers (L), values (L, S)"""
    events = list(snapshot.evaluations)
    if len(events) > COLUMNS:
        events = [events[i] for i in np.linspace(0, len(events) - 1, COLUMNS).astype(int)]
    layers = list(events[-1]["change"]) if events else []
    titles = [layer_title(layer) for layer in layers]
    values = [[100 * e["change"].get(layer, 0.0) for e in events] for layer in layers]
    return [e["step"] for e in events], titles, np.array(values).reshape(len(layers), len(events))


def borderline_images(snapshot: Snapshot) -> list[BorderlineImage]:
    """The borderline images, in a fixed order."""
    if not snapshot.evaluations:
        return []
    events = snapshot.evaluations
    found = []
    for place, now in enumerate(events[-1]["canaries"]):
        before = events[0]["canaries"][place]["answer"]
        found.append(BorderlineImage(now["image"], before, now["answer"], now["confidence"]))
    return found


def phase_sentence(snapshot: Snapshot) -> str:
    """The current phase of the run, in words."""
    text = PHASES.get(snapshot.phase, snapshot.phase)
    if snapshot.phase in (*COUNTED, "reading") and snapshot.total:
        text += f": {snapshot.done:,} of {snapshot.total:,} images"
    return text


def share_done(snapshot: Snapshot) -> float:
    """Progress, 0 to 1: of the steps, or of the images while they are scored."""
    if snapshot.state == "finished":
        return 1.0
    if snapshot.phase in (*COUNTED, "choosing") and snapshot.total:
        return min(1.0, snapshot.done / snapshot.total)
    return min(1.0, snapshot.step / snapshot.steps) if snapshot.steps else 0.0
