"""A run as a viewer sees it: plain data, folded from events, the same in memory and from disk."""

from dataclasses import dataclass, field, replace

from ueo_core.runs.states import actions


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
    step: int
    steps: int
    epoch: int
    seconds: float  # spent adapting
    images: int  # in the pool
    series: tuple[dict, ...] = ()  # {"step", "loss", "entropy", "marginal", "lr"}
    weights: tuple[float, ...] = ()  # w_i of the pool, in pool order
    weights_ood: tuple[bool | None, ...] = ()  # from labels, for colour only; empty without
    evaluations: tuple[dict, ...] = ()  # see scoring.Scorer.evaluation
    batch: dict = field(default_factory=dict)  # most and least weighted images of the last batch
    notes: tuple[str, ...] = ()
    peak_memory_mb: float | None = None

    @property
    def actions(self) -> tuple[str, ...]:
        return actions(self.state)

    @property
    def images_per_second(self) -> float | None:
        """Training speed over the whole run so far, evaluations included."""
        if not self.seconds or not self.step:
            return None
        return self.step * self.images * self.epochs / max(1, self.steps) / self.seconds

    @property
    def epochs(self) -> int:
        """Epochs of the whole run, from the series' own bookkeeping."""
        return self.batch.get("epochs", 1)

    @property
    def seconds_left(self) -> float | None:
        """Estimated from the mean time of the steps so far; None before the first."""
        if not self.step or self.state not in ("running", "paused"):
            return None
        return self.seconds / self.step * (self.steps - self.step)

    def applied(self, event: dict) -> "Snapshot":
        """The snapshot after one event; unknown kinds change nothing."""
        kind = event["kind"]
        if kind == "phase":
            return replace(self, phase=event["phase"], done=event["done"], total=event["total"])
        if kind == "start":
            return replace(
                self,
                weights=tuple(event["weights"]),
                weights_ood=tuple(event["ood"]),
                steps=event["steps"],
                images=len(event["weights"]),
            )
        if kind == "step":
            point = {k: event[k] for k in ("step", "loss", "entropy", "marginal", "lr")}
            return replace(
                self,
                step=event["step"],
                epoch=event["epoch"],
                seconds=event["elapsed"],
                series=(*self.series, point),
                batch=event["batch"],
                peak_memory_mb=event["peak_memory_mb"],
            )
        if kind == "evaluation":
            return replace(self, evaluations=(*self.evaluations, event))
        if kind == "note":
            return replace(self, notes=(*self.notes, event["text"]))
        return self

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
        step=0,
        steps=0,
        epoch=0,
        seconds=0.0,
        images=config["pool"]["n"],
    )
    for event in folder.events():
        snapshot = snapshot.applied(event)
    return snapshot.with_state(folder.state)
