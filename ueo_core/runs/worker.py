"""One run from its folder to its result: load, measure, adapt, score. Thread-agnostic.

The command line calls `execute` directly, the manager from its thread.
"""

import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from ueo_core import backbones
from ueo_core.adapt import adapt, check_pool, split_epoch, steps_in_all
from ueo_core.adapted import AdaptedCLIP
from ueo_core.errors import UserError
from ueo_core.images import ImageSet, Store
from ueo_core.methods import METHODS
from ueo_core.runs.control import Control
from ueo_core.runs.folder import RunFolder
from ueo_core.runs.scoring import Scorer
from ueo_core.runs.states import next_state
from ueo_core.settings import Settings

try:
    import resource
except ImportError:  # Windows has no such module
    resource = None

log = logging.getLogger(__name__)

NON_FINITE_TRIES = 3
Emit = Callable[[dict], None]


class ModelCache:
    """The last backbone used, so that a pause and resume does not load it again."""

    def __init__(self) -> None:
        self._key, self._backbone = None, None

    def get(self, settings: Settings) -> backbones.Backbone:
        key = (settings.backbone, settings.pretrained, settings.device)
        if key != self._key:
            self.clear()
            self._backbone = backbones.load(*key)
            self._key = key
        return self._backbone

    def clear(self) -> None:
        self._key, self._backbone = None, None


def open_images(reference: dict | None, short_side: int) -> ImageSet | None:
    """The image set that a run's config names, or None."""
    if reference is None:
        return None
    return Store(Path(reference["store"]), short_side).open(reference["set"])


def peak_memory_mb() -> float | None:
    """Peak resident memory of this process so far, in MB; None where the system does not tell."""
    if resource is None:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3), 1)


class Worker:
    """Carries out one run; `emit` is told every event as it happens."""

    def __init__(self, folder: RunFolder, control: Control, emit: Emit, cache: ModelCache):
        self.folder, self.control, self.emit, self.cache = folder, control, emit, cache
        self.config = folder.config
        self.settings = folder.settings
        self.classes = self.config["classes"]

    def phase(self, name: str, done: int = 0, total: int = 0) -> None:
        """Tell viewers what is being done; not kept on disk."""
        self.emit({"kind": "phase", "phase": name, "done": done, "total": total})

    def record(self, event: dict) -> None:
        """Keep an event on disk, then tell it."""
        self.folder.append(event)
        self.emit(event)

    def run(self) -> str:
        """Go on until the run is finished, halted or stopped. → the cause for the state table"""
        self.phase("loading")
        backbone = self.cache.get(self.settings)
        self.model = AdaptedCLIP(backbone, self.classes, self.settings.prompt)
        try:
            self.pool = open_images(self.config["pool"], backbone.store_side)
            holdout = open_images(self.config["holdout"], backbone.store_side)
            check_pool(len(self.pool))
            self.scorer = Scorer(self.folder, self.model, self.pool, holdout, self.phase)
            self.confidence = self.scorer.measure()
            if not any(e["kind"] == "start" for e in self.folder.events()):
                self.record(self.scorer.beginning(steps_in_all(len(self.pool), self.settings)))
                self.record(self.scorer.evaluation(0))
            cause = self._adapt()
            if cause == "finish":
                self.scorer.finish(self.folder.checkpoints()[-1])
            return cause
        finally:
            # The backbone is cached and shared with the next run: leave it as it came.
            self.model.reset()

    # The loop

    def _adapt(self) -> str:
        """Steps, evaluations and checkpoints. → the cause of leaving the loop"""
        checkpoints = self.folder.checkpoints()
        done = checkpoints[-1] if checkpoints else 0
        if done:
            self.model.load_delta(self.folder.checkpoint(done))
            self.folder.rewind(done)
        else:
            self.folder.save_checkpoint(0, self.model.delta())
        self.elapsed = max(
            (e["elapsed"] for e in self.folder.events() if e["kind"] == "step"), default=0.0
        )
        steps = steps_in_all(len(self.pool), self.settings)
        self.folder.set_state(self.folder.state["state"], step=done, steps=steps)
        settings = self.settings.changed(
            lr=self.settings.lr * self.folder.state.get("lr_factor", 1.0)
        )
        tries = 0
        while True:
            try:
                return self._steps(settings, done)
            except torch.OutOfMemoryError:
                settings, done = self._halve_chunk(settings), self.folder.state["step"]
            except FloatingPointError as error:
                tries += 1
                done = self.folder.checkpoints()[-1]
                if tries == NON_FINITE_TRIES:
                    raise UserError(
                        f"The run diverged: {error}, three times over; lower the learning rate "
                        f"(it was {settings.lr:g}) and start again."
                    ) from error
                settings = settings.changed(lr=settings.lr / 2)
                self.folder.rewind(done)
                self.folder.set_state(
                    self.folder.state["state"],
                    lr_factor=settings.lr / self.settings.lr,
                    step=done,
                )
                self.model.load_delta(self.folder.checkpoint(done))
                self._note(
                    done,
                    f"{error}; went back to step {done} and halved the learning rate to {settings.lr:g}.",
                )

    def _halve_chunk(self, settings: Settings) -> Settings:
        chunk = (settings.chunk or settings.batch_size) // 2
        if chunk < 1:
            raise UserError(
                "The device ran out of memory even for one image at a time; use a smaller backbone or the CPU."
            )
        torch.cuda.empty_cache()
        self._note(
            self.folder.state["step"],
            f"Out of memory: going on with {chunk} images at a time; the result stays exact.",
        )
        return settings.changed(chunk=chunk)

    def _note(self, step: int, text: str) -> None:
        self.record({"kind": "note", "step": step, "text": text})

    def _steps(self, settings: Settings, done: int) -> str:
        per_epoch = len(split_epoch(len(self.pool), settings.batch_size))
        steps = settings.epochs * per_epoch
        if self.control.stop.is_set():
            return "finish"
        weights = METHODS[settings.method].weights(self.confidence)
        views = self.scorer.views("pool")
        self.phase("adapting", done, steps)
        began = time.perf_counter()
        for step in adapt(self.model, views, self.confidence, settings, done):
            order = sorted(step.batch, key=lambda i: float(weights[i]))
            self.elapsed += time.perf_counter() - began
            began = time.perf_counter()
            self.record(
                {
                    "kind": "step",
                    "step": step.step,
                    "epoch": step.epoch,
                    "loss": step.loss,
                    "entropy": step.entropy,
                    "marginal": step.marginal,
                    "lr": step.lr,
                    "elapsed": round(self.elapsed, 4),
                    "batch": {
                        "least": order[:4],
                        "most": order[-4:][::-1],
                        "epochs": settings.epochs,
                    },
                    "peak_memory_mb": peak_memory_mb(),
                }
            )
            pausing = self.control.pause.is_set() or step.step == self.control.until
            leaving = pausing or self.control.stop.is_set()
            if step.step % per_epoch == 0:
                self.record(self.scorer.evaluation(step.step))
            if leaving or step.step % per_epoch == 0:
                self.folder.save_checkpoint(step.step, self.model.delta())
                self.folder.set_state(self.folder.state["state"], step=step.step)
            if self.control.stop.is_set():
                return "finish"
            if pausing and step.step < steps:
                return "halt"
        return "finish"


def execute(
    folder: RunFolder,
    control: Control | None = None,
    emit: Emit | None = None,
    cache: ModelCache | None = None,
) -> dict:
    """Carry a queued or stopping run out in this thread, and write every state it passes.

    → the state it ended in. A failure is a state with a sentence, not an exception.
    """
    control, emit, cache = control or Control(), emit or (lambda event: None), cache or ModelCache()

    def move(cause: str, **details) -> dict:
        state = folder.set_state(next_state(folder.state["state"], cause), **details)
        emit({"kind": "state", "state": state})
        return state

    if folder.state["state"] == "stopping":
        control.stop.set()
    else:
        move("start", phase="loading", reason="")
    try:
        cause = Worker(folder, control, emit, cache).run()
    except UserError as error:
        return move("fail", reason=str(error))
    except OSError as error:
        return move(
            "fail",
            reason=f"The run stopped: {error.strerror or error}"
            f"{f' ({error.filename})' if error.filename else ''}; mend it and resume, everything up to "
            "the last checkpoint is kept.",
        )
    except Exception as error:  # the last resort: the worker thread must outlive a broken run
        log.exception("run %s failed", folder.id)
        return move(
            "fail",
            reason=f"The run stopped with {type(error).__name__}: {error}; everything up to the last "
            "checkpoint is kept, so it can be resumed.",
        )
    step = folder.checkpoints()[-1]
    if cause == "finish" and folder.state["state"] == "running" and control.stop.is_set():
        move("stop")
    reason = {"halt": "Paused.", "finish": "Stopped early; the result so far is kept."}[cause]
    if cause == "finish" and step == folder.state["steps"]:
        reason = ""
    return move(cause, phase="", reason=reason, step=step)
