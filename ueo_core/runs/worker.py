"""Executes one run from its folder to its result: load, measure, adapt, score; in any thread.

The command line calls `execute` directly, the manager from its thread; both hold the run's lock.
"""

import errno
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from ueo_core.config.lr_schedule import images_seen, split_epoch, steps_in_all
from ueo_core.config.methods import METHODS
from ueo_core.config.settings import Settings
from ueo_core.data.image_set import ImageSet
from ueo_core.data.store import Store
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.models.backbones import Backbone
from ueo_core.models.measured_form import LAYOUTS, measured_form, use_layout
from ueo_core.runs.control import CheckSkipped, Control
from ueo_core.runs.error_messages import out_of_memory, sentence
from ueo_core.runs.folder import RunFolder
from ueo_core.runs.model_cache import ModelCache, as_begun
from ueo_core.runs.scoring import Scorer
from ueo_core.training.auto import candidate_steps
from ueo_core.training.ladder import Trial, chosen_rate, ladder_rates, search
from ueo_core.training.loop import Step, adapt, check_pool
from ueo_core.training.ranks import current, describe
from ueo_core.utils.errors import UserError
from ueo_core.utils.memory import release_memory, reuse_freed_memory

log = logging.getLogger(__name__)

NON_FINITE_TRIES = 3
Emit = Callable[[dict], None]


class Halted(Exception):
    """Raised to pause while images are measured or scored."""


def open_image_set(reference: dict, short_side: int) -> ImageSet:
    """The image set of a `reference` in a run's config; UserError if it is missing."""
    return Store(Path(reference["store"]), short_side).open(reference["set"])


def peak_memory_mb() -> float | None:
    """Peak resident memory of this process so far, in MB; None where it cannot be measured."""
    if sys.platform == "win32":  # has no module `resource`
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3), 1)


class _Stopped(Exception):
    """Raised to end the search for a rate."""


class Worker:
    """Executes one run; `emit` is called with every event."""

    def __init__(self, folder: RunFolder, control: Control, emit: Emit, cache: ModelCache):
        self.folder, self.control, self.emit, self.cache = folder, control, emit, cache
        self.config = folder.config
        self.settings = folder.settings
        self.classes = self.config["classes"]
        self.done = 0  # steps that the model has taken
        self._phase, self._phase_began = "", 0.0

    def phase(self, name: str, done: int = 0, total: int = 0) -> None:
        """Emit the current phase; it is not written to disk.

        Raises Halted to pause between batches, and CheckSkipped to leave the safety check.
        """
        if name != self._phase:
            self._phase, self._phase_began = name, time.perf_counter()
        seconds = time.perf_counter() - self._phase_began
        self.emit(
            {"kind": "phase", "phase": name, "done": done, "total": total, "seconds": seconds}
        )
        if total and self.control.pause.is_set() and name != "adapting":
            raise Halted
        if name == "checking" and self.control.skip.is_set():
            raise CheckSkipped

    def record(self, event: dict) -> None:
        """Write an event to disk, then emit it."""
        self.folder.append(event)
        self.emit(event)

    def run(self) -> str:
        """Run until finished, paused or stopped. → the cause for the state table"""
        self.phase("loading")
        backbone = as_begun(self.folder, self.cache.get(self.settings))
        s = self.settings
        self.model = AdaptedCLIP(
            backbone, self.classes, s.prompt, s.mode, s.templates, self.config["synonyms"]
        )
        if not self.folder.checkpoints():  # a run that has begun keeps its names
            self.model.texts.check_distinct(backbone)
        try:
            with reuse_freed_memory(self.model.device):
                self._choose_form()
                return self._phases(backbone)
        except Halted:
            return "halt"
        except BaseException:
            self.cache.clear()  # a broken device is not used again
            raise

    def _choose_form(self) -> None:
        """Use the number format and layout that the run began with, or measure which is fastest.

        Several processes would measure different things; they take `auto` as it is.
        """
        form = self.folder.state.get("form")
        if form is None and not self.folder.checkpoints() and current() is None:
            if form := measured_form(self.model, self.settings.precision):
                self.folder.update(form=form)
                self.settings = self.folder.settings
        elif form and form.get("layout") in LAYOUTS:
            use_layout(self.model, form["layout"])

    def _phases(self, backbone: Backbone) -> str:
        self.pool = open_image_set(self.config["pool"], backbone.store_side)
        reference = self.config["holdout"]
        holdout = open_image_set(reference, backbone.store_side) if reference else None
        check_pool(len(self.pool))
        if (ranks := current()) is not None:
            sets = {name: self.config[name] for name in ("pool", "holdout") if self.config[name]}
            ranks.tell(describe(self.settings, self.model, sets))
        self.scorer = Scorer(self.folder, self.model, self.pool, holdout, self.phase)
        self.confidence = self.scorer.measure()
        self._begin()
        if self.settings.automatic and not self.control.stop.is_set():
            self._choose_rate()
        if self.settings.automatic:  # stopped before there was a rate
            self.folder.update(steps=steps_in_all(len(self.pool), self.settings))
            self.scorer.finish(0)
            return "finish"
        cause = self._adapt()
        if cause == "finish":
            self.scorer.finish(self.done)
            if self.scorer.check_skipped:
                self._note("The safety check was skipped, so no model is recommended.")
        return cause

    def _begin(self) -> None:
        """Write what precedes the first step, as far as missing: a kill may come at any point."""
        newest = self.folder.newest_checkpoint()
        self.folder.rewind(newest[0] if newest else 0)
        kinds = {e["kind"] for e in self.folder.events()}
        if "start" not in kinds:
            steps = steps_in_all(len(self.pool), self.settings)
            self.record(self.scorer.start_event(steps))
            self._note_small_images()
        if "evaluation" not in kinds:
            self.record(self.scorer.evaluation(0, evidence=self.scorer.automatic))
        if newest is None:
            self.folder.save_checkpoint(0, self.model.adapter())
        elif newest[2]:
            self.done = newest[0]
            self._note(
                f"The checkpoint of step {newest[2][0]} is damaged: continuing from step {newest[0]}."
            )

    def _note_small_images(self) -> None:
        """Say so where images were stored smaller than this model would use them."""
        stored, wanted = max(self.pool.stored_sides), self.model.backbone.store_side
        if stored < wanted and any(min(self.pool.size(i)) > stored for i in range(len(self.pool))):
            self._note(
                f"The images are stored with a short side of {stored} pixels, and this model would use "
                f"{wanted}: for sharper crops, import them again for models of its size."
            )

    # The learning rate

    def _choose_rate(self) -> None:
        """Try some rates, as far as that was not done before, and keep the chosen one."""
        scorer = self.scorer
        known = [
            Trial(e["lr"], e["trained"], e["criteria"])
            for e in self.folder.events()
            if e["kind"] == "trial"
        ]
        views = scorer.views("pool")
        settings = self.settings.changed(chunk=self.folder.state.get("chunk", self.settings.chunk))
        rates = ladder_rates(self.model, views, settings)

        def tell(done: int, total: int) -> None:
            self.phase("choosing", done, total)
            if self.control.stop.is_set():
                raise _Stopped

        while True:
            try:
                for trial in search(
                    self.model,
                    views,
                    scorer.zero["pool_cosines"],
                    self.confidence,
                    settings,
                    scorer.pool_evidence,
                    rates,
                    scorer.zero["pool_features"],
                    known,
                    tell,
                ):
                    known.append(trial)
                    event = {"lr": trial.lr, "trained": trial.step, "criteria": trial.criteria}
                    self.record({"kind": "trial", "step": 0, **event})
                break
            except _Stopped:
                self.model.reset()
                return
            except Exception as error:
                if not out_of_memory(error):
                    raise
            settings = self._halve_chunk(settings)
        rate = chosen_rate(known)
        if rate is None:
            raise UserError(
                "Training diverges at every learning rate that was tried; keep the zero-shot model, or "
                f"give a rate of your own below {min(rates, default=0):g}."
            )
        self.folder.update(lr=rate)
        self.settings = self.folder.settings
        self._note(f"Learning rate {rate:g}, chosen on the images without labels.")

    # The loop

    def _adapt(self) -> str:
        """Steps, evaluations and checkpoints. → the cause for the state table"""
        self._restore_checkpoint()
        state = self.folder.update(steps=steps_in_all(len(self.pool), self.settings))
        settings = self.settings.changed(
            lr=self.settings.rate * state.get("lr_factor", 1.0),
            chunk=state.get("chunk", self.settings.chunk),
        )
        tries = 0
        while True:
            try:
                return self._steps(settings)
            except FloatingPointError as error:
                problem = str(error)
            except Exception as error:
                if not out_of_memory(error):
                    raise
                problem = ""
            # Outside the handlers: an exception keeps the tensors of its frames alive.
            if problem:
                tries += 1
                settings = self._halve_rate(settings, problem, tries)
            else:
                settings = self._halve_chunk(settings)

    def _restore_checkpoint(self) -> None:
        """Restore parameters, events and snapshots of the newest readable checkpoint."""
        newest = self.folder.newest_checkpoint()
        if newest is None:
            raise OSError(errno.EIO, "no checkpoint can be read", str(self.folder.path))
        self.done, adapter, _ = newest
        self.model.load_adapter(adapter)
        self.folder.rewind(self.done)
        self.elapsed = max(
            (e["elapsed"] for e in self.folder.events() if e["kind"] == "step"), default=0.0
        )
        self.folder.update(step=self.done)
        self.emit({"kind": "rewind", "step": self.done})

    def _halve_rate(self, settings: Settings, problem: str, tries: int) -> Settings:
        if tries == NON_FINITE_TRIES:
            raise UserError(
                f"The run diverged: {problem}, {NON_FINITE_TRIES} times; lower the learning rate "
                f"(now {settings.lr:g}) and start a new run."
            )
        settings = settings.changed(lr=settings.rate / 2)
        self.folder.update(lr_factor=settings.rate / self.settings.rate)
        self._restore_checkpoint()
        self._note(
            f"{problem}; returned to step {self.done} and halved the learning rate to {settings.lr:g}."
        )
        return settings

    def _halve_chunk(self, settings: Settings) -> Settings:
        """Halve the chunk; the step that ran out of memory changed nothing and is repeated."""
        chunk = (settings.chunk or settings.batch_size) // 2
        if chunk < 1:
            raise UserError(
                "Out of memory: the device has too little even for one image at a time; use a smaller "
                "backbone or the CPU."
            )
        release_memory()
        self.folder.update(chunk=chunk)
        self._note(
            f"Out of memory: continuing with {chunk} images at a time; the result is the same."
        )
        return settings.changed(chunk=chunk)

    def _note(self, text: str) -> None:
        self.record({"kind": "note", "step": self.done, "text": text})

    def _steps(self, settings: Settings) -> str:
        n = len(self.pool)
        per_epoch, steps = len(split_epoch(n, settings.batch_size)), steps_in_all(n, settings)
        if self.control.stop.is_set():
            return "finish"
        if self.control.pause.is_set() and self.done < steps:
            return "halt"
        views = self.scorer.views("pool")
        candidates = candidate_steps(n, settings) if self.scorer.automatic else ()
        self.phase("adapting", self.done, steps)
        began = time.perf_counter()
        start = self.scorer.zero["pool_features"]
        for step in adapt(self.model, views, self.confidence, settings, self.done, start):
            self.done = step.step
            self.elapsed += time.perf_counter() - began
            began = time.perf_counter()
            self.record(self._event(step, settings))
            pausing = self.control.pause.is_set() or step.step == self.control.until
            leaving = pausing or self.control.stop.is_set()
            measured = step.step % per_epoch == 0 or step.step == steps
            if leaving or measured:
                self._check_finite()
            if measured:
                last = step.step == steps
                event = self.scorer.evaluation(step.step, last, step.step in candidates)
                if pool := self.scorer.pool_predictions():
                    event["pool"] = pool
                self.record(event)
            if leaving or measured:
                self.folder.save_checkpoint(step.step, self.model.adapter())
                self.folder.update(step=step.step)
            if self.control.stop.is_set():
                return "finish"
            if pausing and step.step < steps:
                return "halt"
        return "finish"

    def _check_finite(self) -> None:
        """Raise FloatingPointError for non-finite parameters: the gradient of a finite loss can be.

        No such step becomes a checkpoint.
        """
        if not all(bool(v.isfinite().all()) for v in self.model.adapter().values()):
            raise FloatingPointError(f"the parameters after step {self.done} are not finite")

    def _event(self, step: Step, settings: Settings) -> dict:
        weights = METHODS[settings.method].weights(self.confidence)
        order = sorted(step.batch, key=lambda i: float(weights[i]))
        return {
            "kind": "step",
            "step": step.step,
            "epoch": step.epoch,
            "loss": step.loss,
            "entropy": step.entropy,
            "marginal": step.marginal,
            "lr": step.lr,
            "elapsed": round(self.elapsed, 4),
            "seen": images_seen(step.step, len(self.pool), settings.batch_size),
            "batch": {"least": order[:4], "most": order[-4:][::-1]},
            "peak_memory_mb": peak_memory_mb(),
        }


def execute(
    folder: RunFolder,
    control: Control | None = None,
    emit: Emit | None = None,
    cache: ModelCache | None = None,
) -> dict:
    """Execute a queued or stopping run in this thread, and write its states. → the last state

    A failure is a state with a reason, not an exception.
    """
    control, emit, cache = control or Control(), emit or (lambda event: None), cache or ModelCache()
    try:
        return _execute(folder, control, emit, cache)
    except Exception as error:  # a failed run must not end the worker thread
        if not isinstance(error, (UserError, OSError)):
            log.exception("run %s failed", folder.id)
        return _fail(folder, emit, sentence(error))


def _execute(folder: RunFolder, control: Control, emit: Emit, cache: ModelCache) -> dict:
    def move(cause: str, **details) -> dict:
        state = folder.move(cause, **details)
        emit({"kind": "state", "state": state})
        return state

    # Sums depend on the number of threads: a run always continues with the number it started with,
    # in the app and on the command line, so that its result is the same to the last bit.
    threads = folder.state.get("threads") or torch.get_num_threads()
    torch.set_num_threads(threads)
    if folder.state["state"] == "stopping":
        control.stop.set()
    else:
        move("start", phase="loading", reason="", threads=threads)
    worker = Worker(folder, control, emit, cache)
    cause = worker.run()
    state = folder.state
    if cause == "finish" and state["state"] == "running" and control.stop.is_set():
        move("stop")
    early = cause == "finish" and worker.done < state["steps"]
    reason = "Stopped early; the result so far is kept." if early else ""
    return move(
        cause, phase="", reason=control.why if cause == "halt" else reason, step=worker.done
    )


def _fail(folder: RunFolder, emit: Emit, reason: str) -> dict:
    state = folder.state
    try:
        state = folder.move("fail", phase="", reason=reason)
    except (OSError, ValueError):
        # The disk is full: only viewers see this state; the next start marks the run as interrupted.
        state = {**state, "state": "failed", "phase": "", "reason": reason}
    emit({"kind": "state", "state": state})
    return state
