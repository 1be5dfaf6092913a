"""The curves of a run, named alike for all runs, so that they can share a chart."""

from ueo_core.analysis.live_metrics import progress_signs
from ueo_core.runs.downsample import decimated
from ueo_core.runs.snapshot import Snapshot

# name → (unit, description); the first three are of the pool's batches, the others of the probe.
CURVES = {
    "Loss": ("nats", "L = Σ w̃ H(p) − λ H(p̄) of each batch"),
    "Entropy of each image": ("nats", "Σ w̃ H(p), the weighted mean entropy of single images"),
    "Entropy of the mean": ("nats", "H(p̄), how evenly predictions cover the classes"),
    "ACC": ("%", "mean accuracy over the classes"),
    "AUC": ("%", "known against unknown, by MCM"),
    "HM": ("%", "harmonic mean of ACC and AUC"),
    "Same prediction": ("%", "images with an unchanged prediction"),
    "Spread": ("%", "entropy of the mean prediction, as a share of log C"),
    "Uncertainty": ("%", "mean entropy of an image, as a share of log C"),
}
_TERMS = {"Loss": "loss", "Entropy of each image": "entropy", "Entropy of the mean": "marginal"}
Curve = list[tuple[int, float]]  # (step, value)


def curves(snapshot: Snapshot, classes: int) -> dict[str, Curve]:
    """All curves of a run, in the order of CURVES."""
    series = decimated(snapshot.series)
    found: dict[str, Curve] = {
        name: [(p["step"], p[key]) for p in series] for name, key in _TERMS.items()
    }
    if snapshot.evaluations:
        found |= progress_signs(snapshot, classes)
    return {name: found[name] for name in CURVES if found.get(name)}
