"""The paper's protocol: several methods on the same images, in the same category shifts, over seeds.

OUT/protocol.json      what is compared on what; another protocol is refused there
OUT/rows/*.json        one per method, shift and seed; what is there is not done again
OUT/table.{json,csv,md}  rewritten after every row

Labels make the splits and measure the predictions. A method is given pixels, features and class
names; only the oracle's weights, an upper bound, come from labels, and only here.
"""

import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ueo_core.config.lr_schedule import steps_in_all
from ueo_core.config.methods import METHODS, VARIANTS, Variant, oracle_weights
from ueo_core.config.settings import Settings
from ueo_core.data.feature_cache import zero_shot_features
from ueo_core.data.image_set import ImageSet
from ueo_core.data.subset import Subset
from ueo_core.data.transforms import ModelInputs, Pixels, Views
from ueo_core.evaluation.metrics import evaluate, harmonic_mean
from ueo_core.methods.build_loss import Predicted, feature_method
from ueo_core.methods.ueo import confidence_weights
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.models.backbones import Backbone
from ueo_core.protocol.category_shift import Case, Part
from ueo_core.protocol.plan import BACKWARD, Plan, PlannedCase
from ueo_core.protocol.tables import METRICS, read_row, write_table
from ueo_core.training.auto import ZERO, Automatic, adapt_automatically
from ueo_core.training.cached_activations import CachedActivations
from ueo_core.training.loop import adapt, image_features
from ueo_core.training.ranks import Ranks
from ueo_core.training.shares import own_share, wait_for_all
from ueo_core.utils.errors import UserError
from ueo_core.utils.files import read_json, write_json
from ueo_core.utils.memory import reuse_freed_memory

Progress = Callable[[int, int, str], None]  # done and total in the same unit, and what is done


def carry_out(
    plan: Plan,
    backbone: Backbone,
    out: Path,
    progress: Progress = lambda done, total, what: None,
    check: Callable[[], None] = lambda: None,
    ranks: Ranks | None = None,
) -> list[dict]:
    """Do what is missing in OUT and give back all rows of the plan, in its order.

    ranks: processes that all call this, and share the rows; the first one writes the table. `check` is called between steps and may raise to leave; what is done stays, and the next
    call continues after it. UserError when OUT holds another protocol or cannot be written.
    """
    try:
        if not ranks or ranks.rank == 0:
            _open(plan, backbone, out)
        with reuse_freed_memory(backbone.device):
            return _Work(plan, backbone, out, progress, check, ranks).rows()
    except OSError as error:
        raise UserError(
            f"Folder “{out}”: it cannot be written ({error.strerror or error}); free some space or "
            "choose another place."
        ) from error


def _open(plan: Plan, backbone: Backbone, out: Path) -> None:
    """Begin OUT, or find that it holds the same protocol."""
    same = {
        k: v for k, v in plan.settings.to_json().items() if k not in ("seed", "device", "chunk")
    }
    # Rows with a chosen rate had the recommended model in place of the last epoch in format 1.
    now = {
        "format": 2 if plan.settings.automatic else 1,
        "settings": same,
        "given": sorted(plan.given),
        "data": plan.data,
        "backbone": [backbone.name, backbone.pretrained],
    }
    now = json.loads(json.dumps(now))  # as it will be read: tuples are lists
    before = read_json(out / "protocol.json")
    if not isinstance(before, dict):
        if (out / "protocol.json").exists():
            raise UserError(
                f"Folder “{out}”: its file protocol.json is damaged, so what its rows compare is not known; "
                "restore it from a backup, or choose another folder."
            )
        if out.exists() and any(out.iterdir()):
            raise UserError(
                f"Folder “{out}”: it is not empty and holds no protocol; choose a new one."
            )
        write_json(out / "protocol.json", now)
    elif before != now:
        what = next((k for k in now if before.get(k) != now[k]), "format")
        raise UserError(
            f"Folder “{out}”: it holds a protocol with other {what}, and rows of two must not be mixed; "
            "choose another folder."
        )


class _Work:
    """One pass over a plan's rows."""

    def __init__(self, plan, backbone, out, progress, check, ranks):
        self.plan, self.backbone, self.out = plan, backbone, out
        self.progress, self.check, self.ranks = progress, check, ranks
        self.done = self.total = 0
        self._model: AdaptedCLIP | None = None
        self.features: dict[str, Tensor] = {}

    def rows(self) -> list[dict]:
        wanted = [(w, name) for w in self.plan.cases for name in self.plan.variants]
        mine = self._mine(wanted)
        self.total = sum(self.plan.cost(name, w) for w, name in mine)
        for planned in self.plan.cases:
            if names := [name for w, name in mine if w is planned]:
                self._case(planned, names)
                self._write_table(wanted)
        if self.ranks:
            wait_for_all(self.ranks)
        return self._write_table(wanted)

    def _mine(self, wanted: list[tuple[PlannedCase, str]]) -> list[tuple[PlannedCase, str]]:
        """The rows that are missing, of which each process has its share."""
        if self.ranks and self.ranks.rank:
            return [wanted[i] for i in own_share(self.ranks, {})]
        missing = [i for i, (w, name) in enumerate(wanted) if self._read(w, name) is None]
        if self.ranks:
            costs = {i: self.plan.cost(wanted[i][1], wanted[i][0]) for i in missing}
            missing = own_share(self.ranks, costs)
        return [wanted[i] for i in missing]

    def _path(self, planned: PlannedCase, name: str) -> Path:
        return self.out / "rows" / f"{planned.shift}-{planned.seed}-{name}.json"

    def _read(self, planned: PlannedCase, name: str) -> dict | None:
        return read_row(self._path(planned, name))

    def _write_table(self, wanted) -> list[dict]:
        found = [row for planned, name in wanted if (row := self._read(planned, name))]
        if not self.ranks or self.ranks.rank == 0:
            write_table(self.out, found)
        return found

    def _tell(self, images: float, what: str) -> None:
        self.check()
        self.done = min(self.total, self.done + round(images))
        self.progress(self.done, self.total, what)

    @property
    def model(self) -> AdaptedCLIP:
        """The model of the category shift at work."""
        assert self._model is not None, "made by _case"
        return self._model

    # One category shift

    def _case(self, planned: PlannedCase, names: list[str]) -> None:
        what = f"{planned.shift}, seed {planned.seed}"
        self._tell(0, f"{what}: images")
        case = planned.make()
        if self._model is None or tuple(self._model.classes) != case.classes:
            s = self.plan.settings
            self._model = AdaptedCLIP(
                self.backbone, list(case.classes), s.prompt, templates=s.templates
            )
        zero = {
            part.images.id: self._zero_shot(part.images, what) for part in (case.pool, case.test)
        }
        pool, test = (
            zero[p.images.id][torch.from_numpy(p.indices)] for p in (case.pool, case.test)
        )
        for name in names:
            before, began = self.done, time.monotonic()
            self.model.reset()
            row = self._row(case, planned, name, pool, test, f"{what}, {VARIANTS[name].title}")
            row["seconds"] = round(time.monotonic() - began, 2)
            write_json(self._path(planned, name), row)
            self.done = before  # a row counts as what it was planned to take
            self._tell(self.plan.cost(name, planned), what)

    def _zero_shot(self, images: ImageSet, what: str) -> Tensor:
        """Unit features of a whole set, once for all category shifts. → (N, D)"""
        if images.fingerprint not in self.features:
            self.model.reset()
            encode = partial(self._encode, images, f"{what}: zero-shot features")
            self.features[images.fingerprint], _ = zero_shot_features(images, self.backbone, encode)
        return self.features[images.fingerprint]

    def _encode(self, images: Pixels, what: str) -> Tensor:
        views = Views(images, self.backbone)
        return image_features(self.model, views, on_batch=lambda n: self._tell(0, what))

    # One row

    def _row(self, case: Case, planned: PlannedCase, name: str, pool, test, what: str) -> dict:
        """Metrics on the test set, and under `pool` on the pool itself; the last epoch counts.

        A row that chooses its rate also has `lr`, and of the model that is recommended its name
        (`model`), its evidence (see `evaluation.evidence`) and its metrics on the test set (`recommended`);
        zero-shot's, if every rate diverges.
        """
        variant, settings = VARIANTS[name], self.plan.settings_for(name, planned)
        row = {
            "backbone": self.backbone.name,
            "shift": case.shift,
            "method": name,
            "seed": case.seed,
            "n_pool": len(case.pool),
            "n_test": len(case.test),
        }
        try:
            on_test, on_pool, chosen = self._predictions(case, variant, settings, pool, test, what)
        except FloatingPointError as error:
            nothing = dict.fromkeys(METRICS)
            row |= nothing | {"pool": nothing, "note": f"diverged: {error}"}
            if self.plan.chooses_rate(name, planned):
                self.model.reset()
                zero = self._figures(Predicted(self._cosines(test)), case.test)
                row |= {"lr": None, "model": ZERO, "recommended": zero}
            return row
        last = self._figures(on_test, case.test)
        row |= last | {"pool": self._figures(on_pool, case.pool)}
        if chosen is not None:
            choice = chosen.choice
            row |= {"lr": chosen.settings.lr, "model": choice.model, "recommended": last}
            row["evidence"] = choice.evidence[choice.model]["evidence"]
            if choice.share < 1:
                self.model.load_adapter(chosen.recommended)
                if settings.trained != "prompt":
                    test = self._encode(case.test.subset, f"{what}: the recommended model")
                row["recommended"] = self._figures(Predicted(self._cosines(test)), case.test)
        return row

    def _figures(self, predicted: Predicted, part: Part) -> dict:
        own = None if predicted.score is None else predicted.score.numpy()
        cosines, scale = predicted.cosines.numpy(), self.model.logit_scale
        return measured(cosines, part.truth, self.model.classes, scale, own)

    @torch.no_grad()
    def _cosines(self, features: Tensor) -> Tensor:
        return self.model.cosines(features)

    def _predictions(
        self, case: Case, variant: Variant, settings: Settings, pool, test, what: str
    ) -> tuple[Predicted, Predicted, Automatic | None]:
        """Test set and pool under the adapted model at its last step, and how its rate was chosen."""
        model, zero = self.model, self._cosines(pool)
        if variant.method is None:
            return Predicted(self._cosines(test)), Predicted(zero), None
        if METHODS[variant.method].on_features:
            adapt_features = feature_method(variant.method)
            on_pool, on_test = adapt_features(model, pool, test, settings, self.check)
            return on_test, on_pool, None
        weights = confidence_weights(zero, model.logit_scale, settings.weight_temperature)
        if variant.oracle:
            weights = oracle_weights(torch.from_numpy(case.pool.truth >= 0))
        crops = Views(case.pool.subset, self.backbone, settings.crop_scale, settings.flip)
        views: ModelInputs = crops
        effort = BACKWARD
        if settings.mode == "quick":
            model = AdaptedCLIP(
                self.backbone, model.classes, settings.prompt, settings.mode, settings.templates
            )
            views = CachedActivations(
                crops, model, settings.precision, lambda done: self._tell(0, what)
            )
            effort = 0
        chosen = None
        if settings.automatic:
            per_step = effort * min(settings.batch_size, len(case.pool))
            chosen = adapt_automatically(
                model,
                views,
                zero,
                weights,
                settings,
                pool,
                lambda phase, done, total: self._tell(
                    per_step, f"{what}: {phase} {done} of {total}"
                ),
            )
        else:
            steps = steps_in_all(len(case.pool), settings)
            for step in adapt(model, views, weights, settings, start=pool):
                self._tell(effort * len(step.batch), f"{what}: step {step.step} of {steps}")
        self.model.load_adapter(
            model.adapter_copy()
        )  # of quick mode's model, which reads no images
        if settings.trained != "prompt":
            pool, test = self._adapted(case, what)
        return Predicted(self._cosines(test)), Predicted(self._cosines(pool)), chosen

    def _adapted(self, case: Case, what: str) -> tuple[Tensor, Tensor]:
        """Features of pool and test set under the adapted tower, a shared image once."""
        pool, test = case.pool, case.test
        if pool.images.id != test.images.id:
            return self._encode(pool.subset, what), self._encode(test.subset, what)
        both = np.union1d(pool.indices, test.indices)
        features = self._encode(Subset(pool.images, both), what)
        at_pool, at_test = (np.searchsorted(both, p.indices) for p in (pool, test))
        return features[at_pool], features[at_test]


def measured(
    cosines: np.ndarray,
    truth: np.ndarray,
    classes: Sequence[str],
    scale: float,
    own_score: np.ndarray | None = None,
) -> dict:
    """ACC, ECE, and AUC, HM and FPR95 by MCM (unscaled, T = 1) and by MSP; percent, None without OOD.

    own_score: (N,) the OOD score of a method that has its own, in place of MCM.
    """
    main = evaluate(cosines, truth, classes, scale, "mcm" if own_score is None else own_score)
    msp = evaluate(cosines, truth, classes, scale, "msp")
    found = {k: main[k] for k in ("acc", "auc", "hm", "fpr95", "ece")}
    found |= {
        "auc_msp": msp["auc"],
        "hm_msp": harmonic_mean(main["acc"], msp["auc"]),
        "fpr95_msp": msp["fpr95"],
    }
    return {k: None if v is None else round(v, 3) for k, v in found.items()}
