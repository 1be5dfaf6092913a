"""A run as viewers see it: plain data built from events, the same from memory and from disk."""

from dataclasses import dataclass, field, replace

from ueo_core.runs.downsample import POINTS, decimated
from ueo_core.runs.folder import RunFolder
from ueo_core.runs.states import actions

# A run may take days: a snapshot stays this short, whatever the length of the run.
SERIES = 2 * POINTS
EVALUATIONS = 400
COUNTED = ("measuring", "scoring", "checking")  # phases with a progress of their own, in images


@dataclass(frozen=True)
class Snapshot:
    """The data of the Live page. Immutable: every event makes a new snapshot.

    Series are tuples of plain numbers. Entropies in nats, metrics in percent, seconds.
    """

    run: str
    title: str
    state: str
    phase: (
        str  # waiting, loading, measuring, reading, choosing, adapting, pausing, scoring, checking
    )
    reason: str  # why it ended or paused, a sentence
    done: int  # images done within the phase, if it counts images
    total: int
    phase_seconds: float  # since the start of the phase, at its last event
    step: int
    steps: int
    epoch: int
    seconds: float  # spent adapting
    seen: int  # images trained on in this time, repeats included
    measuring: float  # seconds that measuring all images took, 0 while unknown
    images: int  # in the pool
    series: tuple[dict, ...] = ()  # {"step", "loss", "entropy", "marginal", "lr"}
    weights: tuple[float, ...] = ()  # w_i of the pool, in pool order
    weights_ood: tuple[bool | None, ...] = ()  # from labels, for colors only; empty without labels
    evaluations: tuple[dict, ...] = ()  # of `Scorer.evaluation`; fewer in long runs
    batch: dict = field(
        default_factory=dict
    )  # images of the last batch with the highest and lowest weights
    trials: tuple[dict, ...] = ()  # of the search for a rate: {"lr", "trained", "criteria"}
    notes: tuple[str, ...] = ()
    peak_memory_mb: float | None = None

    @property
    def actions(self) -> tuple[str, ...]:
        """What the user can do now; only the safety check can be skipped."""
        found = actions(self.state)
        return found if self.phase == "checking" else tuple(a for a in found if a != "skip")

    @property
    def images_per_second(self) -> float | None:
        """Training speed over the whole run so far, evaluations included."""
        return self.seen / self.seconds if self.seconds and self.seen else None

    @property
    def seconds_left(self) -> float | None:
        """Estimated time to the end: remaining steps at their mean time, plus the time of measuring.

        Only the rest of the phase while images are measured, scored or checked; None while unknown.
        """
        if self.phase in (*COUNTED, "choosing"):
            left = self.total - self.done
            return self.phase_seconds / self.done * left if self.done else None
        if not self.step or self.state not in ("running", "paused"):
            return None
        return self.seconds / self.step * (self.steps - self.step) + self.measuring

    def applied(self, event: dict) -> "Snapshot":
        """The snapshot after one event; unknown kinds are ignored."""
        kind = event["kind"]
        if kind == "phase":
            return replace(
                self,
                phase=event["phase"],
                done=event["done"],
                total=event["total"],
                phase_seconds=event["seconds"],
            )
        if kind == "rewind":
            return self._rewound(event["step"])
        if kind == "start":
            return replace(
                self,
                weights=tuple(event["weights"]),
                weights_ood=tuple(event["ood"]),
                steps=event["steps"],
                measuring=event.get("seconds", 0.0),
                images=len(event["weights"]),
            )
        if kind == "step":
            point = {k: event[k] for k in ("step", "loss", "entropy", "marginal", "lr")}
            return replace(
                self,
                step=event["step"],
                epoch=event["epoch"],
                seconds=event["elapsed"],
                seen=event.get("seen", 0),
                series=_short((*self.series, point)),
                batch=event["batch"],
                peak_memory_mb=event["peak_memory_mb"],
            )
        if kind == "evaluation":
            return replace(self, evaluations=_thinned((*self.evaluations, event)))
        if kind == "trial":
            return replace(self, trials=(*self.trials, event))
        if kind == "note":
            return replace(self, notes=(*self.notes, event["text"]))
        return self

    def _rewound(self, step: int) -> "Snapshot":
        """The snapshot without the later events: the run has returned to a checkpoint."""
        return replace(
            self,
            step=step,
            series=tuple(p for p in self.series if p["step"] <= step),
            evaluations=tuple(e for e in self.evaluations if e["step"] <= step),
        )

    def with_state(self, state: dict) -> "Snapshot":
        """The snapshot with a state as stored in the run's folder."""
        return replace(
            self,
            state=state["state"],
            phase=state["phase"],
            reason=state["reason"],
            step=max(self.step, state["step"]),
            steps=state["steps"] or self.steps,
        )


def _short(series: tuple[dict, ...]) -> tuple[dict, ...]:
    return tuple(decimated(series)) if len(series) > SERIES else series


def _thinned(evaluations: tuple[dict, ...]) -> tuple[dict, ...]:
    """Every second evaluation if there are too many; the first and the newest are kept."""
    if len(evaluations) <= EVALUATIONS:
        return evaluations
    return (*evaluations[:-1:2], evaluations[-1])


def read_snapshot(folder: RunFolder) -> Snapshot:
    """The snapshot of a run on disk."""
    config = folder.config
    snapshot = Snapshot(
        run=folder.id,
        title=config["title"],
        state="queued",
        phase="",
        reason="",
        done=0,
        total=0,
        phase_seconds=0.0,
        step=0,
        steps=0,
        epoch=0,
        seconds=0.0,
        seen=0,
        measuring=0.0,
        images=config["pool"]["n"],
    )
    for event in folder.events():
        snapshot = snapshot.applied(event)
    return snapshot.with_state(folder.state)
