"""A run as a viewer sees it: plain data, folded from events, the same in memory and from disk."""

from dataclasses import dataclass, field, replace

from ueo_core.runs.downsample import POINTS, decimated
from ueo_core.runs.states import actions

# A run may go on for days: what a viewer holds of it stays this short, whatever its length.
SERIES = 2 * POINTS
EVALUATIONS = 400


@dataclass(frozen=True)
class Snapshot:
    """Everything the Live page draws. Immutable: every event makes a new one.

    Series are tuples of plain numbers. Entropies in nats, metrics in percent, seconds.
    """

    run: str
    title: str
    state: str
    phase: str  # what is being done: waiting, loading, measuring, adapting, scoring
    reason: str  # why it ended or halted, a sentence
    done: int  # images done within the phase, where it counts any
    total: int
    phase_seconds: float  # since the phase began, as of its last sign of life
    step: int
    steps: int
    epoch: int
    seconds: float  # spent adapting
    seen: int  # images trained on in that time, repeats included
    measuring: float  # seconds that measuring every image took, 0 while unknown
    images: int  # in the pool
    series: tuple[dict, ...] = ()  # {"step", "loss", "entropy", "marginal", "lr"}
    weights: tuple[float, ...] = ()  # w_i of the pool, in pool order
    weights_ood: tuple[bool | None, ...] = ()  # from labels, for color only; empty without
    evaluations: tuple[dict, ...] = ()  # see scoring.Scorer.evaluation; thinned in long runs
    batch: dict = field(default_factory=dict)  # most and least weighted images of the last batch
    notes: tuple[str, ...] = ()
    peak_memory_mb: float | None = None

    @property
    def actions(self) -> tuple[str, ...]:
        return actions(self.state)

    @property
    def images_per_second(self) -> float | None:
        """Training speed over the whole run so far, evaluations included."""
        return self.seen / self.seconds if self.seconds and self.seen else None

    @property
    def seconds_left(self) -> float | None:
        """Until the end: the steps at their mean time so far, and scoring as long as measuring was.

        Of the phase alone while images are measured or scored; None while nothing is known.
        """
        if self.phase in ("measuring", "scoring"):
            left = self.total - self.done
            return self.phase_seconds / self.done * left if self.done else None
        if not self.step or self.state not in ("running", "paused"):
            return None
        return self.seconds / self.step * (self.steps - self.step) + self.measuring

    def applied(self, event: dict) -> "Snapshot":
        """The snapshot after one event; unknown kinds change nothing."""
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
        if kind == "note":
            return replace(self, notes=(*self.notes, event["text"]))
        return self

    def _rewound(self, step: int) -> "Snapshot":
        """Without what came after a step: the run has gone back to its checkpoint."""
        return replace(
            self,
            step=step,
            series=tuple(p for p in self.series if p["step"] <= step),
            evaluations=tuple(e for e in self.evaluations if e["step"] <= step),
        )

    def with_state(self, state: dict) -> "Snapshot":
        """The snapshot under a state as the run folder keeps it."""
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
    """Every second one once there are too many; the first and the newest stay."""
    if len(evaluations) <= EVALUATIONS:
        return evaluations
    return (*evaluations[:-1:2], evaluations[-1])


def read_snapshot(folder) -> Snapshot:
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
