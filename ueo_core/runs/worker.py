"""One run from its folder to its result: load, measure, adapt, score. Thread-agnostic.

The command line calls `execute` directly, the manager from its thread. Labels are read
here only to score what is done; the loop in `adapt` is handed pixels and confidences.
"""

import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ueo_core import backbones
from ueo_core.adapt import adapt, check_pool, image_features, split_epoch, steps_in_all
from ueo_core.adapted import AdaptedCLIP, save_delta
from ueo_core.errors import UserError
from ueo_core.images import ImageSet, Store
from ueo_core.methods import METHODS
from ueo_core.metrics import OOD, UNLABELED, evaluate, truth_from_labels
from ueo_core.objectives import confidence_weights
from ueo_core.predict import write_predictions
from ueo_core.runs.control import Control
from ueo_core.runs.folder import RunFolder, write_json
from ueo_core.runs.states import next_state
from ueo_core.scores import DEFAULT_SCORE, SCORES
from ueo_core.settings import Settings
from ueo_core.thresholds import mixture_threshold
from ueo_core.views import Views

try:
    import resource
except ImportError:  # Windows has no such module
    resource = None

log = logging.getLogger(__name__)

PROBE = 256  # images scored after every epoch; the whole sets only at the end
CANARIES = 8  # images whose answer is followed
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
            side = backbone.store_side
            self.pool = open_images(self.config["pool"], side)
            self.holdout = open_images(self.config["holdout"], side)
            check_pool(len(self.pool))
            self.labels = self.folder.labels()
            self.views = self._views(self.pool)
            self._measure()
            cause = self._adapt()
            if cause == "finish":
                self._score()
            return cause
        finally:
            # The backbone is cached and shared with the next run: leave it as it came.
            self.model.reset()

    def _views(self, images: ImageSet) -> Views:
        return Views(images, self.model.backbone, self.settings.crop_scale, self.settings.flip)

    # Before the first step

    def _measure(self) -> None:
        """Zero-shot cosines of all images and the pool's fixed confidences, once per run."""
        zero = self.folder.tensors("zero_shot")
        if zero is None:
            sets = {"pool": self.pool} | ({"holdout": self.holdout} if self.holdout else {})
            total, done = sum(map(len, sets.values())), 0
            zero = {}
            text = self._text()
            for name, images in sets.items():
                features = image_features(
                    self.model,
                    self._views(images),
                    on_batch=lambda n, before=done: self.phase("measuring", before + n, total),
                )
                done += len(images)
                zero[f"{name}_features"] = features
                zero[f"{name}_cosines"] = features @ text.T
            zero["confidence"] = confidence_weights(
                zero["pool_cosines"], self.model.logit_scale, self.settings.weight_temperature
            )
            self.folder.save_tensors("zero_shot", zero)
        self.zero = zero
        self._choose_probe()
        if not any(e["kind"] == "start" for e in self.folder.events()):
            truth = self._truth("pool")
            self.record(
                {
                    "kind": "start",
                    "steps": steps_in_all(len(self.pool), self.settings),
                    "weights": [round(float(w), 5) for w in zero["confidence"]],
                    # Colour for the viewer's histogram; training is given confidences alone.
                    "ood": [None if t == UNLABELED else bool(t == OOD) for t in truth]
                    if (truth != UNLABELED).any()
                    else [],
                    "device": str(self.model.device),
                }
            )
            self.record(self.evaluation(0))

    @torch.no_grad()
    def _text(self) -> Tensor:
        return self.model.encode_text().cpu()

    def _truth(self, name: str) -> np.ndarray:
        """Class index, OOD or UNLABELED of every image of `pool` or `holdout`."""
        n = len(self.pool if name == "pool" else self.holdout)
        labels = self.labels.get(name) or [None] * n
        return truth_from_labels(labels, self.classes)

    def _choose_probe(self) -> None:
        """The images that are scored after every epoch: of the test set where there is one."""
        self.probe_set = "holdout" if self.holdout else "pool"
        images = self.holdout or self.pool
        g = np.random.default_rng(self.settings.seed)
        self.probe = np.sort(g.permutation(len(images))[:PROBE])
        self.probe_views = self._views(images)
        self.probe_truth = self._truth(self.probe_set)[self.probe]
        # Canaries: the most doubtful images of the probe are those whose answer may flip.
        cosines = self.zero[f"{self.probe_set}_cosines"][self.probe]
        top = cosines.topk(min(2, cosines.shape[1])).values
        doubt = np.argsort((top[:, 0] - top[:, -1]).numpy(), kind="stable")
        spread = doubt[np.linspace(0, len(doubt) // 2, num=min(CANARIES, len(doubt)), dtype=int)]
        self.canaries = sorted({int(i) for i in spread})

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
        confidence = self.zero["confidence"]
        weights = METHODS[settings.method].weights(confidence)
        self.phase("adapting", done, steps)
        began = time.perf_counter()
        for step in adapt(self.model, self.views, confidence, settings, done):
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
                self.record(self.evaluation(step.step))
            if leaving or step.step % per_epoch == 0:
                self.folder.save_checkpoint(step.step, self.model.delta())
                self.folder.set_state(self.folder.state["state"], step=step.step)
            if self.control.stop.is_set():
                return "finish"
            if pausing and step.step < steps:
                return "halt"
        return "finish"

    def evaluation(self, step: int) -> dict:
        """Scores of the probe at a step, as an event.

        `mcm`: score of each probe image; `agreement`: share (percent) that still answers
        as zero-shot; `entropy`: mean H(p) in nats; `spread`: entropy of the mean
        prediction over log C, percent, 0 where all answers are one class; `change`:
        relative parameter change by layer; `canaries`: answers of the followed images.
        With labels also `acc`, `auc`, `hm` in percent.
        """
        if step:
            features = torch.cat(
                [self._encode(images) for images in self.probe_views.batches(128, self.probe)]
            )
            cosines = features @ self._text().T
        else:
            cosines = self.zero[f"{self.probe_set}_cosines"][self.probe]
        zero = self.zero[f"{self.probe_set}_cosines"][self.probe]
        p = (cosines * self.model.logit_scale).softmax(1)
        mean = p.mean(0)
        answer = cosines.argmax(1)
        event = {
            "kind": "evaluation",
            "step": step,
            "set": self.probe_set,
            "mcm": [
                round(float(v), 6) for v in SCORES[DEFAULT_SCORE].compute(cosines.numpy(), 1.0)
            ],
            "ood": [bool(t == OOD) for t in self.probe_truth]
            if (self.probe_truth != UNLABELED).any()
            else [],
            "agreement": 100 * float((answer == zero.argmax(1)).float().mean()),
            "entropy": float(torch.special.entr(p).sum(1).mean()),
            "spread": 100 * float(torch.special.entr(mean).sum() / np.log(len(self.classes))),
            "change": {k: round(v, 6) for k, v in self.model.change_by_layer().items()},
            "canaries": [
                {
                    "image": int(self.probe[i]),
                    "answer": self.classes[int(answer[i])],
                    "confidence": round(float(p[i].max()), 4),
                }
                for i in self.canaries
            ],
        }
        if (self.probe_truth != UNLABELED).any():
            scores = evaluate(
                cosines.numpy(), self.probe_truth, self.classes, self.model.logit_scale
            )
            event |= {k: scores[k] for k in ("acc", "auc", "hm")}
        return event

    @torch.no_grad()
    def _encode(self, images: Tensor) -> Tensor:
        return self.model.encode_image(images).cpu()

    # After the last step

    def _score(self) -> None:
        """Cosines of all images under the adapted model, the delta, predictions and metrics."""
        step = self.folder.checkpoints()[-1]
        total = len(self.pool) + len(self.holdout or ())
        final, done = {}, 0
        text = self._text()
        for name, images in (("pool", self.pool), ("holdout", self.holdout)):
            if images is None:
                continue
            features = image_features(
                self.model,
                self._views(images),
                on_batch=lambda n, before=done: self.phase("scoring", before + n, total),
            )
            done += len(images)
            final[f"{name}_features"] = features
            final[f"{name}_cosines"] = features @ text.T
        self.folder.save_tensors("adapted", final)
        pool = final["pool_cosines"].numpy()
        threshold = mixture_threshold(SCORES[DEFAULT_SCORE].compute(pool, 1.0))
        result = {"step": step, "score": DEFAULT_SCORE, "threshold": threshold, "metrics": {}}
        for name in ("pool", "holdout"):
            if name == "holdout" and self.holdout is None:
                continue
            truth = self._truth(name)
            if (truth != UNLABELED).any():
                result["metrics"][name] = {
                    which: evaluate(
                        source[f"{name}_cosines"].numpy(),
                        truth,
                        self.classes,
                        self.model.logit_scale,
                    )
                    for which, source in (("zero_shot", self.zero), ("adapted", final))
                }
        write_predictions(
            self.folder.path / "predictions.csv",
            self.pool.names,
            pool,
            self.classes,
            self.model.logit_scale,
            threshold,
        )
        save_delta(
            self.folder.path / "delta.safetensors",
            self.model.delta(),
            {
                "format": "ueo-studio-delta-1",
                "backbone": self.model.backbone.name,
                "pretrained": self.model.backbone.pretrained,
                "classes": self.classes,
                "prompt": self.settings.prompt,
                "settings": self.settings.to_json(),
                "data": {k: self.config["pool"][k] for k in ("name", "fingerprint", "n")},
                "logit_scale": self.model.logit_scale,
                **result,
            },
        )
        write_json(self.folder.path / "result.json", result)


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
