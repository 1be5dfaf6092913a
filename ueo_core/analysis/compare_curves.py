"""The curves of a run, by the same names for every run, so that they can lie over each other."""

from ueo_core.analysis.live_metrics import progress_signs
from ueo_core.runs.downsample import decimated
from ueo_core.runs.snapshot import Snapshot

# name → (axis, what it is); the first three are of the pool's batches, the others of the probe.
CURVES = {
    "Loss": ("nats", "L = Σ w̃ H(p) − λ H(p̄) of every batch"),
    "Entropy of each image": ("nats", "Σ w̃ H(p), the weighted doubt about single images"),
    "Entropy of the mean": ("nats", "H(p̄), how evenly the answers spread over the classes"),
    "ACC": ("%", "mean accuracy of the classes"),
    "AUC": ("%", "known against unknown, by MCM"),
    "HM": ("%", "harmonic mean of ACC and AUC"),
    "Same answer": ("%", "images that still answer as zero-shot"),
    "Spread": ("%", "evenness of the answers over the classes"),
    "Doubt": ("%", "mean entropy of an image, as a share of the most possible"),
}
_TERMS = {"Loss": "loss", "Entropy of each image": "entropy", "Entropy of the mean": "marginal"}
Curve = list[tuple[int, float]]  # (step, value)


def curves(snapshot: Snapshot, classes: int) -> dict[str, Curve]:
    """All curves that this run has, in the order of CURVES."""
    series = decimated(snapshot.series)
    found: dict[str, Curve] = {
        name: [(p["step"], p[key]) for p in series] for name, key in _TERMS.items()
    }
    if snapshot.evaluations:
        found |= progress_signs(snapshot, classes)
    return {name: found[name] for name in CURVES if found.get(name)}
