"""The measurements of a run: all images before and after, a probe of them after every epoch.

Labels are read here only, for scoring. The training loop gets the confidences.
"""

import time
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ueo_core.config.lr_schedule import split_epoch
from ueo_core.config.settings import AUTO
from ueo_core.data.feature_cache import zero_shot_features
from ueo_core.data.image_set import ImageSet
from ueo_core.data.transforms import ModelInputs, Views, encoded_at_once
from ueo_core.evaluation.evidence import Measured, criteria
from ueo_core.evaluation.guard_rule import Choice
from ueo_core.evaluation.metrics import OOD, UNLABELED, evaluate, truth_from_labels
from ueo_core.evaluation.ood_scores import DEFAULT_SCORE, SCORES
from ueo_core.evaluation.thresholds import mixture_threshold
from ueo_core.inference.adapter_file import ADAPTER_NAME, GUARDED, GUARDED_PREDICTIONS, describe
from ueo_core.inference.predictions import Predictions
from ueo_core.methods.ueo import confidence_weights
from ueo_core.models.adapted_clip import AdaptedCLIP, save_adapter
from ueo_core.runs.control import CheckSkipped
from ueo_core.runs.error_messages import out_of_memory
from ueo_core.runs.folder import RunFolder
from ueo_core.training.auto import ZERO, choose
from ueo_core.training.cached_activations import CachedActivations
from ueo_core.training.guard import safety_check
from ueo_core.training.loop import image_features
from ueo_core.training.pool_evidence import PoolEvidence, drawn
from ueo_core.training.ranks import Shared, current
from ueo_core.utils.files import write_bytes, write_json
from ueo_core.utils.memory import release_memory
from ueo_core.utils.precision import tower_autocast

PROBE = 256  # images scored after every epoch; all images only after the last
BORDERLINE = 8  # images whose prediction is recorded at every evaluation
Phase = Callable[[str, int, int], None]  # name of the phase, images done, images in total


class Scorer:
    """Measures the model of one run. Call `measure` first: the other methods need its results."""

    def __init__(
        self,
        folder: RunFolder,
        model: AdaptedCLIP,
        pool: ImageSet,
        holdout: ImageSet | None,
        phase: Phase,
    ):
        self.folder, self.model, self.phase = folder, model, phase
        self.settings, self.classes = folder.settings, model.classes
        self.sets = {"pool": pool} | ({"holdout": holdout} if holdout else {})
        self.labels = folder.labels()
        self.batch = encoded_at_once(model.device)
        # Whether the rate is chosen on the images, and with it the model that is recommended.
        self.automatic = folder.config["settings"].get("lr") == AUTO
        self.check_skipped = False
        self.seconds = 0.0  # of the last encoding of all images
        self._views: dict[str, Views | CachedActivations] = {}
        self._final: dict[str, Tensor] | None = None  # all images after the last step, once encoded
        # Pool images that were encoded with the current model, and their cosines, for the photo wall.
        self._looked_at: tuple[np.ndarray, Tensor] | None = None

    def views(self, name: str) -> Views | CachedActivations:
        """Views of `pool` or `holdout`; in quick mode, their cached activations."""
        if name not in self._views:
            s, images = self.settings, self.sets[name]
            views = Views(images, self.model.backbone, s.crop_scale, s.flip)
            if (ranks := current()) is not None:
                views.shared = Shared(ranks, name)
            if self.model.tail:
                tell = lambda done: self.phase("reading", done, len(images))  # noqa: E731
                self._views[name] = CachedActivations(views, self.model, s.precision, tell)
            else:
                self._views[name] = views
        return self._views[name]

    @cached_property
    def pool_evidence(self) -> PoolEvidence:
        """Measures the evidence of models that the rate and the recommendation are chosen by."""
        s = self.settings
        return PoolEvidence(
            self.model, self.views("pool"), s.seed, self.batch, precision=s.precision
        )

    def _measured(self, known: dict[str, Tensor] | None) -> Measured:
        """Evidence of the current model. known: its features and cosines of all images, once encoded"""
        zero = self.zero["pool_cosines"], self.zero["confidence"]
        return self.pool_evidence.measure(*zero, known["pool_features"] if known else None)

    def pool_predictions(self) -> dict[str, list]:
        """Of the pool images that were encoded since the last step: index, class, confidence and MCM.

        Nothing is encoded for this. Empty if none were: then only test images are scored after an epoch.
        """
        if self._looked_at is None:
            return {}
        images, cosines = self._looked_at
        confidence, prediction = (cosines * self.model.logit_scale).softmax(1).max(1)
        score = SCORES[DEFAULT_SCORE].compute(cosines.numpy(), 1.0)
        return {
            "images": images.tolist(),
            "prediction": prediction.tolist(),
            "confidence": [round(float(v), 4) for v in confidence],
            "score": [round(float(v), 8) for v in score],
        }

    def truth(self, name: str) -> np.ndarray:
        """Class index, OOD or UNLABELED of every image of `pool` or `holdout`. (N,)"""
        labels = self.labels.get(name) or [None] * len(self.sets[name])
        return truth_from_labels(labels, self.classes)

    def measure(self) -> Tensor:
        """Zero-shot results of all images, once per run. → confidences of the pool, fixed from here on (N,)"""
        zero = self.folder.tensors("zero_shot")
        if zero is None:
            zero = self.encode_all("measuring", untouched=True)
            zero["confidence"] = confidence_weights(
                zero["pool_cosines"], self.model.logit_scale, self.settings.weight_temperature
            )
            self.folder.save_tensors("zero_shot", zero)
        self.zero = zero
        self._choose_probe()
        return zero["confidence"]

    def encode_all(self, phase: str, untouched: bool = False) -> dict[str, Tensor]:
        """Features and cosines of all images with the current model, by set.

        untouched: it is the zero-shot model, whose features the store may already have.
        """
        total, done = sum(map(len, self.sets.values())), 0
        text, found, self.seconds = self._text(), {}, 0.0
        for name, images in self.sets.items():

            def encode(name: str = name, before: int = done) -> Tensor:
                return self._features(
                    self.views(name), lambda n: self.phase(phase, before + n, total)
                )

            if untouched and not self.model.tail:  # quick mode computes all activations anyway
                features, seconds = zero_shot_features(images, self.model.backbone, encode)
            else:
                began = time.perf_counter()
                features, seconds = encode(), time.perf_counter() - began
            self.seconds += seconds
            done += len(images)
            found[f"{name}_features"] = features
            found[f"{name}_cosines"] = self.model.cosines(features, text)
        return found

    @torch.no_grad()
    def _text(self) -> Tensor:
        return self.model.encode_text().cpu()

    def _features(
        self,
        views: ModelInputs,
        on_batch: Callable[[int], object] | None = None,
        indices: np.ndarray | None = None,
    ) -> Tensor:
        """Features of all evaluation views, or of `indices`; in smaller batches if memory runs out."""
        while True:
            try:
                return image_features(self.model, views, self.batch, on_batch, indices)
            except Exception as error:
                if not out_of_memory(error) or self.batch == 1:
                    raise
            self.batch = max(1, self.batch // 2)
            release_memory()

    def _before(self) -> dict[str, Tensor]:
        return {k: v for k, v in self.zero.items() if k != "confidence"}

    def _choose_probe(self) -> None:
        """Choose the images that are scored after every epoch, from the test set if there is one."""
        self.probe_set = "holdout" if "holdout" in self.sets else "pool"
        # Of the pool, some of those that evidence is measured on.
        self.probe = drawn(len(self.sets[self.probe_set]), PROBE, self.settings.seed)
        self.probe_views = self.views(self.probe_set)
        self.probe_truth = self.truth(self.probe_set)[self.probe]
        # Borderline images: from the less certain half of the probe, evenly spaced by margin.
        cosines = self.zero[f"{self.probe_set}_cosines"][self.probe]
        top = cosines.topk(min(2, cosines.shape[1])).values
        order = np.argsort((top[:, 0] - top[:, -1]).numpy(), kind="stable")
        chosen = order[np.linspace(0, len(order) // 2, num=min(BORDERLINE, len(order)), dtype=int)]
        self.borderline = sorted({int(i) for i in chosen})

    def start_event(self, steps: int) -> dict:
        """The first event of a run: the weights, and whether pool images are unknown, for colors only.

        `seconds` is the time that measuring took, and that scoring will take at the end.
        """
        truth = self.truth("pool")
        return {
            "kind": "start",
            "steps": steps,
            "seconds": round(self.seconds, 3),
            "weights": [round(float(w), 5) for w in self.zero["confidence"]],
            # For the colors of the histogram; training gets the confidences only.
            "ood": [None if t == UNLABELED else bool(t == OOD) for t in truth]
            if (truth != UNLABELED).any()
            else [],
            "device": str(self.model.device),
            "logit_scale": self.model.logit_scale,
            "preprocessing": self.model.backbone.preprocessing.to_json(),
        }

    def evaluation(self, step: int, last: bool = False, evidence: bool = False) -> dict:
        """The evaluation of the probe at a step, as an event.

        last: encode all images, for `finish`; evidence: with the criteria that the rate and the
        recommendation are chosen by.

        `mcm`: score of each probe image; `agreement`: share of predictions equal to zero-shot's,
        percent; `entropy`: mean H(p) in nats; `spread`: entropy of the mean prediction as a share of
        log C, percent, 0 if all predictions are one class; `change`: relative parameter change by
        layer; `canaries`: predictions of the borderline images. With labels also `acc`, `auc` and
        `hm` in percent.
        """
        self._final = self.encode_all("scoring") if last else None
        known = self._final or (None if step else self.zero)
        measured = self._measured(known) if evidence else None
        self._looked_at = None
        if known:
            cosines = known[f"{self.probe_set}_cosines"][self.probe]
        elif measured and self.probe_set == "pool":
            at = np.searchsorted(self.pool_evidence.chosen, self.probe)
            cosines = torch.from_numpy(measured.cosines[at])
        else:
            with tower_autocast(self.settings.precision, self.model.device):
                features = self._features(self.probe_views, indices=self.probe)
                text = self._text()
            cosines = self.model.cosines(features, text)
        if measured:
            self._looked_at = self.pool_evidence.chosen, torch.from_numpy(measured.cosines)
        elif self.probe_set == "pool":
            self._looked_at = self.probe, cosines
        zero = self.zero[f"{self.probe_set}_cosines"][self.probe]
        p = (cosines * self.model.logit_scale).softmax(1)
        mean = p.mean(0)
        prediction = cosines.argmax(1)
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
            "agreement": 100 * float((prediction == zero.argmax(1)).float().mean()),
            "entropy": float(torch.special.entr(p).sum(1).mean()),
            "spread": 100 * float(torch.special.entr(mean).sum() / np.log(len(self.classes))),
            "change": {k: round(v, 6) for k, v in self.model.change_by_layer().items()},
            "canaries": [
                {
                    "image": int(self.probe[i]),
                    "answer": self.classes[int(prediction[i])],
                    "confidence": round(float(p[i].max()), 4),
                }
                for i in self.borderline
            ],
        }
        if (self.probe_truth != UNLABELED).any():
            scores = evaluate(
                cosines.numpy(), self.probe_truth, self.classes, self.model.logit_scale
            )
            event |= {k: scores[k] for k in ("acc", "auc", "hm")}
        return event | ({"criteria": criteria(measured)} if measured else {})

    def finish(self, step: int) -> None:
        """Score all images after the last step; write the adapter, predictions and metrics.

        If the safety check recommends another model than the last epoch, that one is written, too.
        """
        # Without a step, the adapted model is the zero-shot model.
        final = (self._final or self.encode_all("scoring")) if step else self._before()
        self.folder.save_tensors("adapted", final)
        last = self.model.adapter_copy()
        models = {"zero_shot": self.zero, "adapted": final}
        result: dict[str, Any] = {"step": step}
        choice, recommended = None, None
        if self.settings.guard and step:
            try:
                if self.automatic:
                    choice, recommended = self._choose_model(step)
                else:
                    choice = safety_check(
                        self.model,
                        self.views("pool"),
                        self.zero["pool_cosines"],
                        final["pool_cosines"],
                        self.settings.seed,
                        self.batch,
                        lambda n, total: self.phase("checking", n, total),
                        self.settings.precision,
                    )
            except CheckSkipped:
                self.check_skipped = True
                self.model.load_adapter(last)
        result["guard"] = choice.to_json() if choice else None
        if choice and choice.share < 1:
            if recommended is None:
                self.model.load_between(choice.share, last)
            else:
                self.model.load_adapter(recommended)
            models["guarded"] = self.encode_all("scoring") if choice.share else self._before()
        result["metrics"] = self._metrics(models)
        self.folder.path.joinpath(GUARDED).unlink(
            missing_ok=True
        )  # left by a run that was then trained longer
        if "guarded" in models:
            found = models["guarded"]
            self.folder.save_tensors(
                GUARDED_PREDICTIONS, {k: v for k, v in found.items() if k.endswith("_cosines")}
            )
            self._save(GUARDED, found, result)
            self.model.load_adapter(last)
        result = self._save(ADAPTER_NAME, final, result)
        pool = final["pool_cosines"].numpy()
        predictions = Predictions.of_images(
            self.sets["pool"], pool, self.classes, self.model.logit_scale
        )
        csv = predictions.csv(result["threshold"])
        write_bytes(self.folder.path / "predictions.csv", csv)
        write_json(self.folder.path / "result.json", result, indent=1)

    def _choose_model(self, step: int) -> tuple[Choice, dict[str, Tensor]]:
        """Choose among zero-shot, the measured models along the run and their averages."""
        events = [e for e in self.folder.events() if e["kind"] == "evaluation"]
        found = {e["step"]: e["criteria"] for e in events if "criteria" in e}
        zero, kept = found.pop(0), set(self.folder.checkpoints())
        found = {s: c for s, c in found.items() if s in kept}
        if step not in found:  # stopped early
            found[step] = criteria(self._measured(self._final))
        adapters = {s: self.folder.checkpoint(s) for s in found if s != step}
        adapters[step] = self.model.adapter_copy()
        per_epoch = len(split_epoch(len(self.sets["pool"]), self.settings.batch_size))
        return choose(
            self.model,
            self.pool_evidence,
            self.zero["pool_cosines"],
            self.zero["confidence"],
            {ZERO: zero} | {str(s): c for s, c in found.items()},
            adapters,
            {s: -(-s // per_epoch) for s in sorted(adapters)},
            lambda n, total: self.phase("checking", n, total),
        )

    def _metrics(self, models: dict[str, dict[str, Tensor]]) -> dict:
        """{set: {model: metrics}} for the sets that have labels."""
        found = {}
        for name in self.sets:
            truth = self.truth(name)
            if (truth != UNLABELED).any():
                found[name] = {
                    which: evaluate(
                        source[f"{name}_cosines"].numpy(),
                        truth,
                        self.classes,
                        self.model.logit_scale,
                    )
                    for which, source in models.items()
                }
        return found

    def _save(self, file: str, scored: dict[str, Tensor], result: dict) -> dict:
        """Write the current model with its unsupervised threshold. → the result with the threshold"""
        scores = SCORES[DEFAULT_SCORE].compute(scored["pool_cosines"].numpy(), 1.0)
        result = result | {"score": DEFAULT_SCORE, "threshold": mixture_threshold(scores)}
        config = self.folder.config | {"settings": self.settings.to_json()}
        metadata = describe(self.model, config, result)
        save_adapter(self.folder.path / file, self.model.adapter(), metadata)
        return result
