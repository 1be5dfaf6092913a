"""UEO as a scikit-learn estimator: adapt CLIP to unlabeled images, predict, reject the unknown."""

import contextlib
import inspect
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError
from tqdm import tqdm

from ueo_core.api.arguments import speaks_of_arguments
from ueo_core.api.images import Images, open_images
from ueo_core.api.predictions import ImagePredictions
from ueo_core.config.lr_schedule import steps_in_all
from ueo_core.config.methods import METHODS
from ueo_core.config.presets import DEFAULT_PRESET, preset
from ueo_core.config.settings import SETTINGS, Settings
from ueo_core.data.class_list import classes_given
from ueo_core.data.labels import as_classes
from ueo_core.data.limits import Limits
from ueo_core.data.stream import open_stream
from ueo_core.data.transforms import Views, encoded_at_once
from ueo_core.evaluation.metrics import evaluate, truth_from_labels
from ueo_core.evaluation.ood_scores import DEFAULT_SCORE, SCORES, neg_label
from ueo_core.evaluation.thresholds import mixture_threshold
from ueo_core.export.formats import model_format
from ueo_core.inference.adapter_file import ADAPTER_NAME, describe, read_adapter_file
from ueo_core.inference.negatives import cosines_with, negative_words
from ueo_core.inference.predict import cosines, features, load_model
from ueo_core.inference.prediction_parts import TOP, PartOptions, PartsWritten, write_parts
from ueo_core.methods.ueo import confidence_weights
from ueo_core.models import backbones
from ueo_core.models.adapted_clip import AdaptedCLIP, save_adapter
from ueo_core.runs.create import package_versions
from ueo_core.training.auto import Automatic, adapt_automatically
from ueo_core.training.cached_activations import CachedActivations
from ueo_core.training.guard import safety_check
from ueo_core.training.loop import adapt, check_pool, image_features
from ueo_core.utils.errors import UserError

MODELS = ("adapted", "recommended", "zero-shot")


class UEO(ClassifierMixin, BaseEstimator):
    """Adapt CLIP to unlabeled images with Universal Entropy Optimization.

    Parameters
    ----------
    backbone : a teaching model (`drawings-resnet`, `drawings-vit`), an open_clip model name, or
        the path of an open_clip config (.json).
    pretrained : an open_clip tag or a checkpoint file; None: the usual weights of the backbone.
    classes : names of the classes, at least two: a list, a dict with further names of each class
        (`{"dog": ["puppy", "hound"], "cat": []}`), or a text or file as the command line takes it.
    method, epochs, batch_size, lr, trade, weight_temperature, prompt, templates, trained, crop_scale, flip,
    guard, seed, device, chunk, mode, precision : the settings of a run, see `ueo_core.Settings`;
        None takes the backbone's preset, and for lr "auto": some rates are tried on the images, and
        one is chosen without labels.
    progress : show a progress bar on stderr while `fit` runs.
    store : folder in which decoded images of a folder or zip are kept; None: a temporary one.
    srgb : convert colors of files by their profiles to sRGB; otherwise profiles are ignored.

    Attributes
    ----------
    classes_ : array of str (C,)
    model_ : AdaptedCLIP, the adapted model
    settings_ : Settings, with every value that was used
    history_ : list of dict, one per step: step, epoch, loss, entropy, marginal, lr
    threshold_ : float, on the OOD score; unsupervised (heuristic): a mixture of two Gaussians
    guard_ : dict or None, which model is recommended: share (0 zero-shot, 1 the last epoch, else
        something between), the reason in a sentence, the evidence
    trials_ : list of dict, the rates that were tried: lr, step, criteria; empty for a given lr

    Labels are never read by `fit`: its `y` is there for scikit-learn alone.
    Source: Liang et al., ICML 2024 (arXiv 2308.12919).
    """

    def __init__(
        self,
        backbone: str = "drawings-resnet",
        pretrained: str | None = None,
        *,
        classes: Sequence[str] | Mapping[str, Sequence[str]] | str | Path | None = None,
        method: str = "ueo",
        epochs: int | None = None,
        batch_size: int | None = None,
        lr: float | str | None = None,
        trade: float | None = None,
        weight_temperature: str | None = None,
        prompt: str | None = None,
        templates: str | None = None,
        trained: str | None = None,
        crop_scale: float | None = None,
        flip: bool | None = None,
        guard: bool | None = None,
        seed: int | None = None,
        device: str | None = None,
        chunk: int | None = None,
        mode: str | None = None,
        precision: str | None = None,
        progress: bool = True,
        store: str | Path | None = None,
        srgb: bool = False,
    ):
        self.backbone = backbone
        self.pretrained = pretrained
        self.classes = classes
        self.method = method
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.trade = trade
        self.weight_temperature = weight_temperature
        self.prompt = prompt
        self.templates = templates
        self.trained = trained
        self.crop_scale = crop_scale
        self.flip = flip
        self.guard = guard
        self.seed = seed
        self.device = device
        self.chunk = chunk
        self.mode = mode
        self.precision = precision
        self.progress = progress
        self.store = store
        self.srgb = srgb

    @speaks_of_arguments
    def fit(self, X: Any, y: Any = None) -> "UEO":
        """Adapt to unlabeled images. → self

        X: a folder or zip, a list of paths or PIL images, a uint8 array (N, H, W, 3), or a
        map-style dataset; y: ignored. ValueError for arguments that cannot be used, and where
        training diverges.
        """
        settings = preset(DEFAULT_PRESET, **{name: getattr(self, name) for name in SETTINGS})
        if METHODS[settings.method].memory or METHODS[settings.method].on_features:
            raise UserError(
                f"method: {METHODS[settings.method].title} leaves no adapter behind; choose one of "
                f"{', '.join(name for name, m in METHODS.items() if m.runnable)}."
            )
        given = classes_given(self.classes)
        for remark in given.remarks:
            warnings.warn(remark, stacklevel=3)
        names = given.names
        backbone = backbones.load(settings.backbone, settings.pretrained, settings.device)
        model = AdaptedCLIP(
            backbone, names, settings.prompt, settings.mode, settings.templates, given.synonyms
        )
        model.texts.check_distinct(backbone)
        with self._opened(X, backbone.store_side) as images:
            check_pool(len(images))
            settings = self._adapt(model, images, settings)
            self._data = {
                "name": images.title,
                "fingerprint": images.fingerprint,
                "n": len(images),
                "srgb": self.srgb,
            }
        self.model_, self.settings_ = model, settings
        self.classes_ = np.asarray(names)
        return self

    def _adapt(self, model: AdaptedCLIP, images: Images, settings: Settings) -> Settings:
        """Adapt the model and choose what is recommended. → the settings with the rate in force"""
        views: Any = Views(images.pixels, model.backbone, settings.crop_scale, settings.flip)
        if model.tail:
            views = CachedActivations(views, model, settings.precision)
        features = image_features(model, views)
        with torch.no_grad():
            zero_shot = model.cosines(features)
        weights = confidence_weights(zero_shot, model.logit_scale, settings.weight_temperature)
        bar = tqdm(desc=METHODS[settings.method].title, disable=not self.progress)
        with bar:
            try:
                if settings.automatic:
                    found = self._automatic(
                        model, views, zero_shot, weights, settings, features, bar
                    )
                    steps, settings = list(found.steps), found.settings
                else:
                    bar.total = steps_in_all(len(images), settings)
                    steps, found = [], None
                    for step in adapt(model, views, weights, settings, start=features):
                        steps.append(step)
                        bar.update()
                        bar.set_postfix(loss=f"{step.loss:.3f}", refresh=False)
            except FloatingPointError as error:
                raise UserError(
                    f"lr: training diverged at {settings.lr} ({error}); choose a lower value."
                ) from error
        with torch.no_grad():
            adapted = model.cosines(image_features(model, views))
        named = ("step", "epoch", "loss", "entropy", "marginal", "lr")
        self.history_ = [{name: getattr(step, name) for name in named} for step in steps]
        self.threshold_ = self._recommended_threshold = _threshold(adapted)
        self.guard_, self._recommended, self.trials_ = None, None, []
        if found:
            self.trials_ = [trial.to_json() for trial in found.trials]
        if settings.guard and found:
            self.guard_, self._recommended = found.choice.to_json(), found.recommended
        elif settings.guard:
            batch = encoded_at_once(model.device)
            choice = safety_check(
                model, views, zero_shot, adapted, settings.seed, batch, precision=settings.precision
            )
            self.guard_ = choice.to_json()
            self._recommended = model.between(choice.share, model.adapter())
        if self.guard_ and self.guard_["share"] < 1:
            with _at(model, self._recommended), torch.no_grad():
                between = model.cosines(image_features(model, views))
            self._recommended_threshold = _threshold(between)
        return settings

    def _automatic(
        self, model: AdaptedCLIP, views: Any, zero_shot, weights, settings: Settings, features, bar
    ) -> Automatic:
        """Choose a rate, adapt at it and choose a model, with a progress bar."""

        def tell(what: str, done: int, total: int) -> None:
            bar.set_description(f"{METHODS[settings.method].title}, {what}", refresh=False)
            bar.total, bar.n = total, done
            bar.refresh()

        return adapt_automatically(model, views, zero_shot, weights, settings, features, tell)

    @speaks_of_arguments
    def predict(self, X: Any, model: str = "adapted") -> ImagePredictions:
        """Classes of images, and which are unknown. → ImagePredictions

        X: as in `fit`; model: `adapted` (the last epoch), `recommended` (what the safety check
        recommends, which may be the same) or `zero-shot`. An image is unknown where its OOD score
        is below `threshold_`.
        """
        threshold = self._threshold_of(model)
        clip, names = self._model(), [str(name) for name in self.classes_]
        with (
            self._opened(X, clip.backbone.store_side) as images,
            _at(clip, self._parameters(model)),
            torch.no_grad(),
        ):
            seen = features(clip, images.pixels)
            found = clip.cosines(seen).numpy()
        return ImagePredictions(
            images.names,
            found,
            names,
            clip.logit_scale,
            threshold,
            images.reopen,
            self._title(),
            seen.numpy(),
            copies=images.copies,
        )

    @speaks_of_arguments
    def predict_stream(
        self,
        source: str | Path,
        out: str | Path,
        model: str = "adapted",
        top: int = TOP,
        features: str | None = None,
        processes: int | None = None,
        precision: str = "float32",
    ) -> PartsWritten:
        """Predict any number of images into a folder of Parquet files. → counts, and their names

        source: a folder, zip, WebDataset `.tar`, or a `.csv` or `.parquet` with a column `path`; read in
        place, in constant memory. out: continued where it was interrupted. top: classes per image;
        features: "float16" or "float32", for unit features, too; processes: that decode, None: one per
        core, 0: this one; precision: of the image tower, "auto" is "bfloat16" on a GPU that has it.
        ValueError where `out` holds predictions of another model or source.
        """
        threshold, clip = self._threshold_of(model), self._model()
        options = PartOptions(
            top, features, processes=processes, srgb=self.srgb, precision=precision
        )
        stream = open_stream(Path(source), Limits.configured(), Path(out))
        bar = tqdm(desc="predict", disable=not self.progress)

        def tell(what: str, done: int, total: int | None) -> None:
            bar.set_description(what, refresh=False)
            bar.total, bar.n = total, done
            bar.update(0)

        with bar, stream, _at(clip, self._parameters(model)):
            return write_parts(clip, stream, Path(out), threshold, options, tell)

    def predict_proba(self, X: Any) -> NDArray[np.floating]:
        """Probability of every class in the order of `classes_`. → (N, C)"""
        return self.predict(X).proba

    @speaks_of_arguments
    def decision_function(
        self, X: Any, negatives: str | Sequence[str] | None = None
    ) -> NDArray[np.floating]:
        """The OOD score of every image: higher = more in-distribution. → (N,)

        MCM; with `negatives`, words for what else is among the images ("screenshot", "document"),
        NegLabel; `common-nouns` stands for words of the shipped list that are far from the classes.
        They are anchors of this score alone: never a class, never read by `fit`, and `threshold_` is
        not on this score.
        """
        if negatives is None:
            return self.predict(X).score
        model = self._model()
        words = negative_words(model, negatives)
        with self._opened(X, model.backbone.store_side) as images:
            known, other = cosines_with(model, images.pixels, words)
        return neg_label(known, other, model.logit_scale)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Mean per-class recall over images of the classes, 0 to 1. y: as in `evaluate`"""
        if sample_weight is not None:
            raise UserError("sample_weight: every image counts alike; leave it out.")
        acc = self.evaluate(X, y)["acc"]
        if acc is None:
            raise UserError("y: no label is one of the classes, so nothing can be scored.")
        return acc / 100

    @speaks_of_arguments
    def evaluate(self, X: Any, y: Sequence[str | None] | None = None) -> dict:
        """Metrics on labeled images, percent. → {"acc", "auc", "hm", "fpr95", "aupr", "ece",
        "per_class", "zero_shot": {the same}, "n_id", "n_ood"}

        y: a class name per image, another name for an image of none of the classes (OOD), None for
        one without a label. Without y the labels are the names of the folders that hold the images.
        `auc`, `hm`, `fpr95`, `aupr` are None without OOD images.
        """
        names = [str(name) for name in self._classes()]
        with self._opened(X, self._model().backbone.store_side) as images:
            if y is None:
                labels = images.labels
            else:
                labels = [None if v is None else str(v) for v in y]
                if len(labels) != len(images):
                    raise UserError(
                        f"y: {len(labels)} labels for {len(images)} images; give one each."
                    )
            if labels is None or not any(labels):
                raise UserError(
                    "y: there are no labels; give one per image, or a folder with one subfolder per class."
                )
            truth = truth_from_labels(as_classes(labels, names), names)
            adapted, zero = (self._cosines(images, m) for m in ("adapted", "zero-shot"))
        scale = self._model().logit_scale
        return evaluate(adapted, truth, names, scale) | {
            "zero_shot": evaluate(zero, truth, names, scale),
            "n_id": int((truth >= 0).sum()),
            "n_ood": int((truth == -1).sum()),
        }

    @speaks_of_arguments
    def save(self, path: str | Path, model: str = "adapted") -> None:
        """Write the adapter (safetensors, a few hundred kilobytes), which app and command line open too.

        model: `adapted` (the last epoch) or `recommended`.
        """
        chosen, clip = self._parameters(model), self._model()
        config = {
            "title": self._title(),
            "versions": package_versions(),
            "settings": self.settings_.to_json(),
            "pool": self._data,
        }
        result = {
            "step": len(self.history_),
            "guard": self.guard_ if model == "adapted" else None,
            "recommended_threshold": self._recommended_threshold,
            "score": DEFAULT_SCORE,
            "threshold": self._threshold_of(model),
        }
        save_adapter(Path(path), chosen or clip.adapter(), describe(clip, config, result))

    @speaks_of_arguments
    def export(self, format: str, path: str | Path, model: str = "adapted") -> None:
        """Write the model in a form for use elsewhere, see docs/exports.md.

        format: "onnx", "script" or "adapter"; model: as in `save`. ValueError when it cannot be written.
        """
        made = model_format(format)
        with tempfile.TemporaryDirectory(prefix="ueo-") as folder:
            adapter = Path(folder, ADAPTER_NAME)
            self.save(adapter, model)
            made.write(Path(path), read_adapter_file(adapter))

    @classmethod
    @speaks_of_arguments
    def load(
        cls,
        path: str | Path,
        backbone: str | None = None,
        pretrained: str | None = None,
        device: str = "auto",
    ) -> "UEO":
        """A fitted estimator from an adapter file of this interface, the app or the command line.

        backbone, pretrained: where the model is on this machine, if it is not where the adapter
        was made. ValueError for a file that is no adapter, or does not belong to the model.
        """
        file = read_adapter_file(Path(path), backbone, pretrained)
        settings = file.settings
        chosen = {k: v for k, v in settings.to_json().items() if k in SETTINGS}
        classes = {name: file.synonyms.get(name, []) for name in file.classes}
        made = cls(classes=classes if file.synonyms else list(file.classes), **chosen)
        made.device = None if device == "auto" else device
        made.model_ = load_model(file, device)
        made.srgb = file.srgb
        made.settings_, made.classes_ = settings, np.asarray(file.classes)
        made.history_, made.guard_ = [], file.guard
        made.threshold_ = file.threshold
        made.trials_, made._recommended = [], None
        if file.guard and not file.guard.get("model"):  # a blend is known from its share alone
            made._recommended = made.model_.between(file.guard["share"], made.model_.adapter())
        made._recommended_threshold = file.metadata.get("recommended_threshold", file.threshold)
        made._data = file.metadata.get("data", {"name": Path(path).stem, "fingerprint": "", "n": 0})
        made._data = made._data | {"srgb": file.srgb}
        return made

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        """The arguments that differ from their defaults."""
        defaults = inspect.signature(type(self)).parameters
        shown = [
            f"{name}={getattr(self, name)!r}"
            for name, parameter in defaults.items()
            if getattr(self, name) != parameter.default
        ]
        text = f"UEO({', '.join(shown)})"
        return text if len(text) <= N_CHAR_MAX else text[: N_CHAR_MAX - 4] + "...)"

    # Inside

    @contextlib.contextmanager
    def _opened(self, X: Any, short_side: int) -> Iterator[Images]:
        images = open_images(X, short_side, self.store, self.srgb)
        try:
            yield images
        finally:
            images.close()

    def _title(self) -> str:
        return f"{METHODS[self.settings_.method].title} · {self.settings_.backbone} · {self._data['name']}"

    def _model(self) -> AdaptedCLIP:
        if not hasattr(self, "model_"):
            raise NotFittedError(
                "This UEO is not fitted yet; call fit with unlabeled images first."
            )
        return self.model_

    def _classes(self) -> NDArray:
        self._model()
        return self.classes_

    def _parameters(self, model: str) -> dict[str, torch.Tensor] | None:
        """The adapter of a model other than the last epoch, which is None."""
        clip = self._model()
        if model not in MODELS:
            raise UserError(f"model: {model!r} is not known; choose one of {', '.join(MODELS)}.")
        if model == "zero-shot":
            return clip.original
        if model == "adapted" or not self.guard_ or self.guard_["share"] == 1:
            return None
        if self._recommended is None:
            raise UserError(
                "model: the file that this was loaded from holds the last epoch only; save the "
                'recommended one with save(path, model="recommended").'
            )
        return self._recommended

    def _threshold_of(self, model: str) -> float:
        own = self._parameters(model) is None
        return self.threshold_ if own else self._recommended_threshold

    def _cosines(self, images: Images, model: str) -> NDArray[np.float32]:
        with _at(self._model(), self._parameters(model)):
            return cosines(self._model(), images.pixels)


@contextlib.contextmanager
def _at(model: AdaptedCLIP, adapter: dict[str, torch.Tensor] | None) -> Iterator[None]:
    """The model with another adapter, None being its own; as it was afterwards."""
    if adapter is None:
        yield
        return
    end = model.adapter_copy()
    model.load_adapter(adapter)
    try:
        yield
    finally:
        model.load_adapter(end)


def _threshold(found: torch.Tensor) -> float:
    """The unsupervised threshold on the OOD score of the pool. found: (N, C) cosines"""
    return float(mixture_threshold(SCORES[DEFAULT_SCORE].compute(found.numpy(), 1.0)))
