"""How well evidence without labels orders models: many runs at many rates, judged with labels.

OUT/rows/*.json         one per case and rate: metrics and criteria after every epoch; one per case for
                        the rate and the model that the studio chooses itself
OUT/evidence.{json,md}  rewritten after every row; what is there is not done again
OUT/choice.{json,md}    how close that rate and that model come to the best ones

Labels measure the models here and decide nothing. A rate is given as a share of the model's preset.
Without criteria, which take most of the time, only the second table is made.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr

from ueo_core.config.lr_schedule import split_epoch
from ueo_core.config.settings import AUTO, Settings
from ueo_core.data.image_set import ImageSet
from ueo_core.data.store import Store
from ueo_core.data.transforms import Views, encoded_at_once
from ueo_core.drawings.sample import SHOWCASE_DOMAIN, problem
from ueo_core.evaluation.evidence import CRITERIA, criteria
from ueo_core.methods.ueo import confidence_weights
from ueo_core.models import backbones
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.models.backbones import Backbone
from ueo_core.protocol.category_shift import Case, labeled_folder, possible_shifts
from ueo_core.protocol.choice_table import Chosen, choice_markdown, summarize_choices
from ueo_core.protocol.drawings_table import drawn_case
from ueo_core.protocol.runner import Progress, measured
from ueo_core.training.auto import adapt_automatically
from ueo_core.training.guard import safety_check
from ueo_core.training.loop import adapt, image_features
from ueo_core.training.pool_evidence import PoolEvidence
from ueo_core.utils.files import read_json, write_bytes, write_json
from ueo_core.utils.memory import reuse_freed_memory


@dataclass(frozen=True)
class World:
    """One built-in problem that is adapted to at every rate."""

    backbone: str
    domain: str
    shift: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.backbone}-{self.domain}-{self.shift}-{self.seed}"

    def open(self, out: Path) -> tuple[Backbone, Case]:
        """The model, and the images drawn into OUT."""
        backbone = backbones.load(self.backbone)
        store = Store(out / "images", backbone.store_side)
        return backbone, drawn_case(problem(self.shift, self.seed, self.domain), store)


@dataclass(frozen=True)
class PhotoWorld:
    """A folder of labeled photos, half of every class kept for the test; other folders are unknown."""

    source: Path
    images: ImageSet
    backbone: str
    pretrained: str | None
    shift: str
    seed: int

    @property
    def domain(self) -> str:
        return self.source.resolve().name

    @property
    def name(self) -> str:
        return f"{Path(self.backbone).stem}-{self.domain}-{self.shift}-{self.seed}"

    def open(self, out: Path) -> tuple[Backbone, Case]:
        """The model, and pool and test set of the folder."""
        case = labeled_folder(self.images, self.source).case(self.shift, self.seed)
        return backbones.load(self.backbone, self.pretrained), case


def worlds(
    names: Sequence[str],
    domains: Sequence[str],
    shifts: Sequence[str],
    first_seed: int,
    seeds: int = 1,
) -> list[World]:
    """Every combination `seeds` times, each with a seed of its own. Those of one round stand together,
    and so do the models: the beginning of a study is balanced."""
    found: list[World] = []
    for _ in range(seeds):
        for shift in shifts:
            for domain in domains:
                for backbone in names:
                    found.append(World(backbone, domain, shift, first_seed + len(found)))
    return found


def photo_worlds(
    source: Path,
    images: ImageSet,
    backbone: str,
    pretrained: str | None,
    shift: str,
    first_seed: int,
    seeds: int = 1,
) -> list[PhotoWorld]:
    """The shifts that a labeled folder can have, `seeds` times each. UserError where it has none."""
    shifts, _ = possible_shifts(labeled_folder(images, source), shift)
    order = [(s, first_seed + n) for n in range(seeds) for s in shifts]
    return [PhotoWorld(source, images, backbone, pretrained, *each) for each in order]


def study(
    chosen: Sequence[World | PhotoWorld],
    rates: Sequence[float],
    epochs: int,
    out: Path,
    progress: Progress = lambda done, total, what: None,
    with_criteria: bool = True,
) -> dict:
    """Do what is missing in OUT. → {"criteria": see `summarize`, "choice": `summarize_choices`}

    with_criteria: else the criteria are not measured on every model, and "criteria" is of no world.
    """
    kinds: list[float | str] = [*rates, AUTO]
    rows = {(w, k): read_json(_path(out, w, k, epochs)) for w in chosen for k in kinds}
    if with_criteria:
        rows = {key: row for key, row in rows.items() if _has_criteria(row)}
    todo = {world: [k for k in kinds if rows.get((world, k)) is None] for world in chosen}
    done, total = 0, sum(map(len, todo.values()))
    for world, missing in todo.items():
        if not missing:
            continue
        progress(done, total, f"{world.name}: images")
        for kind, row in _rows(world, missing, epochs, out, with_criteria):
            write_json(_path(out, world, kind, epochs), row)
            rows[world, kind] = row
            done += 1
            what = (
                "the rate chosen without labels" if kind == AUTO else f"{kind} of the preset's rate"
            )
            progress(done, total, f"{world.name}, {what}")
            write_summary(out, _summary(chosen, rates, rows))
    summary = _summary(chosen, rates, rows)
    write_summary(out, summary)
    return summary


def _has_criteria(row: dict | None) -> bool:
    return row is not None and all("criteria" in c for c in row.get("candidates", ()))


def _path(out: Path, world: World | PhotoWorld, kind: float | str, epochs: int) -> Path:
    name = kind if kind == AUTO else f"{kind:g}"
    return out / "rows" / f"{world.name}-{epochs}-{name}.json"


def _summary(
    chosen: Sequence[World | PhotoWorld],
    rates: Sequence[float],
    rows: dict[tuple[World | PhotoWorld, float | str], Any],
) -> dict:
    """Of the worlds for which every row is there: all models after all epochs are candidates."""
    found, automatic, choices = {}, {}, []
    for world in chosen:
        own = [rows.get((world, rate)) for rate in rates]
        auto = rows.get((world, AUTO))
        if not auto or not all(own):
            continue
        candidates = [c for row in own if row for c in row["candidates"]]
        choices.append(
            Chosen(
                world.name,
                (Path(world.backbone).stem, world.shift),
                world.domain == SHOWCASE_DOMAIN,
                auto["zero"],
                max(c["hm"] for c in candidates),
                auto["hm"],
                auto["preset"],
            )
        )
        if all(map(_has_criteria, own)):
            found[world.name], automatic[world.name] = candidates, auto
    return {"criteria": summarize(found, automatic), "choice": summarize_choices(choices)}


def _rows(
    world: World | PhotoWorld,
    kinds: Sequence[float | str],
    epochs: int,
    out: Path,
    with_criteria: bool,
) -> Iterator[tuple[float | str, dict]]:
    backbone, case = world.open(out)
    preset = Settings.for_backbone(world.backbone, epochs=epochs, seed=world.seed)
    model = AdaptedCLIP(backbone, list(case.classes), preset.prompt)
    with reuse_freed_memory(backbone.device):
        bench = _Bench(model, case, preset, with_criteria)
        for kind in kinds:
            if isinstance(kind, str):
                yield kind, bench.automatic(preset)
            else:
                settings = preset.changed(lr=kind * preset.rate)
                yield kind, {"rate": kind, "candidates": bench.candidates(settings)}


class _Bench:
    """Measures models on one case; the zero-shot model once."""

    def __init__(self, model: AdaptedCLIP, case: Case, settings: Settings, with_criteria: bool):
        self.model, self.case, self.with_criteria = model, case, with_criteria
        self.views = Views(case.pool.subset, model.backbone, settings.crop_scale, settings.flip)
        self.tests = Views(case.test.subset, model.backbone)
        batch, precision = encoded_at_once(model.device), settings.precision
        self.pool = PoolEvidence(model, self.views, case.seed, batch, precision=precision)
        model.reset()
        self.start = image_features(model, self.views)
        with torch.no_grad():
            self.cosines = model.cosines(self.start)
        temperature = settings.weight_temperature
        self.weights = confidence_weights(self.cosines, model.logit_scale, temperature)
        self.zero = self._candidate(0)

    def candidates(self, settings: Settings) -> list[dict]:
        """The zero-shot model and the model after every epoch, measured with and without labels."""
        found = [self.zero]
        per_epoch = len(split_epoch(len(self.views), settings.batch_size))
        self.model.reset()
        try:
            for step in adapt(self.model, self.views, self.weights, settings, start=self.start):
                if step.step % per_epoch == 0:
                    found.append(self._candidate(step.epoch))
        except FloatingPointError:  # diverged: what came before stays a candidate
            pass
        return found

    def automatic(self, preset: Settings) -> dict:
        """What is recommended at the rate chosen without labels, and at the preset's rate by the safety check."""
        model = self.model
        result = {"zero": self.zero["hm"]}
        try:
            found = adapt_automatically(
                *(model, self.views, self.cosines, self.weights, preset.changed(lr=AUTO)),
                self.start,
            )
        except FloatingPointError:
            result |= {"lr": None, "model": "zero-shot", "hm": self.zero["hm"]}
        else:
            result |= {
                "lr": found.settings.lr,
                "model": found.choice.model,
                "last": self._tested()["hm"],
                "evidence": found.choice.evidence,
            }
            model.load_adapter(found.recommended)
            result["hm"] = self._tested()["hm"]
        model.reset()
        try:
            for _ in adapt(model, self.views, self.weights, preset, start=self.start):
                pass
        except FloatingPointError:
            return result | {"preset": self.zero["hm"]}
        with torch.no_grad():
            last = model.cosines(image_features(model, self.views))
        batch = encoded_at_once(model.device)
        choice = safety_check(
            model, self.views, self.cosines, last, preset.seed, batch, precision=preset.precision
        )
        model.load_between(choice.share, model.adapter_copy())
        return result | {"preset": self._tested()["hm"]}

    @torch.no_grad()
    def _tested(self) -> dict:
        """Metrics of the current model on the test set."""
        tested = self.model.cosines(image_features(self.model, self.tests)).numpy()
        case = self.case
        return measured(tested, case.test.truth, case.classes, self.model.logit_scale)

    def _candidate(self, epoch: int) -> dict:
        metrics = self._tested()
        found = {
            "epoch": epoch,
            "hm": metrics["hm"],
            "acc": metrics["acc"],
            "auc": metrics["auc"],
            "change": round(self.model.change(), 6),
        }
        if not self.with_criteria:
            return found
        return found | {"criteria": criteria(self.pool.measure(self.cosines, self.weights))}


def summarize(found: dict[str, list[dict]], automatic: dict[str, dict]) -> dict:
    """How well each criterion orders the candidates of each world by HM.

    found: by world, its candidates, the zero-shot model first; automatic: by world, the models chosen
    without labels. → {"worlds", "best", "rows", "automatic", "preset"}; best: the
    mean gain of the best candidate over zero-shot; automatic: the same figures for the recommended
    model of a run that chooses its rate; preset: for that of a run at the preset's rate, by the
    safety check; rows: one per criterion, {"criterion", "title",
    "rho" (mean Spearman correlation with HM), "regret" (best minus chosen), "worst_regret", "gain" (chosen
    minus zero-shot), "worst", "harmed" (share of worlds more than 1 point below zero-shot)}, in points.
    """
    rows = []
    best = {name: max(c["hm"] for c in candidates) for name, candidates in found.items()}
    for name, criterion in CRITERIA.items() if found else ():
        rho, reached = [], {}
        for world, candidates in found.items():
            hm = np.array([c["hm"] for c in candidates])
            values = np.array([c["criteria"][name] for c in candidates])
            if np.ptp(values) and np.ptp(hm):
                rho.append(float(spearmanr(values, hm)[0]))
            reached[world] = float(hm[int(values.argmax())])
        rows.append(
            {
                "criterion": name,
                "title": criterion.title,
                "rho": round(float(np.mean(rho)), 3) if rho else None,
                **_figures(found, best, reached),
            }
        )
    gains = [best[name] - candidates[0]["hm"] for name, candidates in found.items()]
    return {
        "worlds": len(found),
        "best": round(float(np.mean(gains)), 2) if gains else None,
        "rows": rows,
        "automatic": _figures(found, best, {k: a["hm"] for k, a in automatic.items()}),
        "preset": _figures(found, best, {k: a["preset"] for k, a in automatic.items()}),
    }


def _figures(found: dict[str, list[dict]], best: dict, reached: dict[str, float]) -> dict:
    """Regret, gain and harm of one choice a world, in points of HM."""
    if not found:
        return {}
    regret = np.array([best[name] - reached[name] for name in found])
    gain = np.array([reached[name] - candidates[0]["hm"] for name, candidates in found.items()])
    return {
        "regret": round(float(regret.mean()), 2),
        "worst_regret": round(float(regret.max()), 1),
        "gain": round(float(gain.mean()), 2),
        "worst": round(float(gain.min()), 1),
        "harmed": round(float((gain < -1).mean()), 3),
    }


def markdown(summary: dict) -> list[str]:
    """The summary as a Markdown table."""
    if not summary["worlds"]:
        return ["No world is finished yet."]
    lines = [
        "| criterion | ρ with HM | regret, mean | regret, largest | gain, mean | gain, least | "
        "more than 1 point worse |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    chosen = [
        {"title": "the studio's own choice of rate and model", "rho": None, **summary["automatic"]},
        {"title": "the preset's rate with the safety check", "rho": None, **summary["preset"]},
    ]
    for row in (*summary["rows"], *chosen):
        rho = "–" if row["rho"] is None else f"{row['rho']:.2f}"
        lines.append(
            f"| {row['title']} | {rho} | {row['regret']:.2f} | {row['worst_regret']:.1f} | "
            f"{row['gain']:+.2f} | {row['worst']:+.1f} | {100 * row['harmed']:.0f} % |"
        )
    lines += [
        "",
        f"{summary['worlds']} worlds. The best model of each, chosen with labels: {summary['best']:+.2f} "
        "points over zero-shot, mean.",
    ]
    return lines


def write_summary(out: Path, summary: dict) -> None:
    """OUT/evidence.json and .md, OUT/choice.json and .md."""
    for name, part, lines in (
        ("evidence", summary["criteria"], markdown(summary["criteria"])),
        ("choice", summary["choice"], choice_markdown(summary["choice"])),
    ):
        write_json(out / f"{name}.json", part)
        write_bytes(out / f"{name}.md", ("\n".join(lines) + "\n").encode("utf-8"))
