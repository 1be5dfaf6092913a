"""How well evidence without labels orders models: many runs at many rates, judged with labels.

OUT/rows/*.json         one per case and rate: metrics and criteria after every epoch
OUT/evidence.{json,md}  rewritten after every row; what is there is not done again

Labels measure the models here and decide nothing. A rate is given as a share of the model's preset.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr

from ueo_core.config.lr_schedule import split_epoch
from ueo_core.config.settings import Settings
from ueo_core.data.store import Store
from ueo_core.data.transforms import Views
from ueo_core.drawings.sample import problem
from ueo_core.evaluation.evidence import CRITERIA, Measured
from ueo_core.methods.ueo import confidence_weights
from ueo_core.models import backbones
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.protocol.category_shift import Case
from ueo_core.protocol.drawings_table import drawn_case
from ueo_core.protocol.runner import Progress, measured
from ueo_core.training.loop import CROPS, adapt, image_features
from ueo_core.utils.files import read_json, write_bytes, write_json
from ueo_core.utils.memory import reuse_freed_memory

IMAGES, DRAWS = 192, 2  # images that are cropped, and crops of each


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


def worlds(
    names: Sequence[str], domains: Sequence[str], shifts: Sequence[str], first_seed: int
) -> list[World]:
    """Every combination, each with a seed of its own."""
    found: list[World] = []
    for backbone in names:
        for domain in domains:
            for shift in shifts:
                found.append(World(backbone, domain, shift, first_seed + len(found)))
    return found


def study(
    chosen: Sequence[World],
    rates: Sequence[float],
    epochs: int,
    out: Path,
    progress: Progress = lambda done, total, what: None,
) -> dict:
    """Do what is missing in OUT. → the summary, see `summarize`"""
    todo = [(w, r) for w in chosen for r in rates if read_json(_path(out, w, r, epochs)) is None]
    total = len(todo)
    for world in chosen:
        missing = [r for w, r in todo if w is world]
        if not missing:
            continue
        done = sum(read_json(_path(out, w, r, epochs)) is not None for w, r in todo)
        progress(done, total, f"{world.name}: images")
        for rate, row in _rows(world, missing, epochs, out):
            write_json(_path(out, world, rate, epochs), row)
            done += 1
            progress(done, total, f"{world.name}, {rate:g} of the preset's rate")
            write_summary(out, summarize(_found(chosen, rates, epochs, out)))
    summary = summarize(_found(chosen, rates, epochs, out))
    write_summary(out, summary)
    return summary


def _path(out: Path, world: World, rate: float, epochs: int) -> Path:
    return out / "rows" / f"{world.name}-{epochs}-{rate:g}.json"


def _found(
    chosen: Sequence[World], rates: Sequence[float], epochs: int, out: Path
) -> dict[str, list[dict]]:
    """The candidates of each world for which every rate is done: all models after all epochs."""
    found = {}
    for world in chosen:
        rows = [read_json(_path(out, world, r, epochs)) for r in rates]
        if all(rows):
            found[world.name] = [c for row in rows if row for c in row["candidates"]]
    return found


def _rows(
    world: World, rates: Sequence[float], epochs: int, out: Path
) -> Iterator[tuple[float, dict]]:
    backbone = backbones.load(world.backbone)
    store = Store(out / "images", backbone.store_side)
    case = drawn_case(problem(world.shift, world.seed, world.domain), store)
    preset = Settings.for_backbone(world.backbone, epochs=epochs, seed=world.seed)
    model = AdaptedCLIP(backbone, list(case.classes), preset.prompt)
    with reuse_freed_memory(backbone.device):
        bench = _Bench(model, case, preset)
        for rate in rates:
            settings = preset.changed(lr=rate * preset.rate)
            yield rate, {"rate": rate, "candidates": bench.candidates(settings)}


class _Bench:
    """Measures models on one case; the zero-shot model once."""

    def __init__(self, model: AdaptedCLIP, case: Case, settings: Settings):
        self.model, self.case = model, case
        self.views = Views(case.pool.subset, model.backbone, settings.crop_scale, settings.flip)
        self.tests = Views(case.test.subset, model.backbone)
        order = np.random.default_rng([case.seed, CROPS]).permutation(len(self.views))
        self.cropped = np.sort(order[:IMAGES])
        model.reset()
        self.start = image_features(model, self.views)
        with torch.no_grad():
            cosines = model.cosines(self.start)
        self.weights = confidence_weights(cosines, model.logit_scale, settings.weight_temperature)
        self.predictions = cosines.argmax(1).numpy()
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
            return found
        return found

    @torch.no_grad()
    def _candidate(self, epoch: int) -> dict:
        model, case = self.model, self.case
        text = model.encode_text()
        features = image_features(model, self.views)
        tested = model.cosines(image_features(model, self.tests), text).numpy()
        crops = [self._crops(draw) for draw in range(DRAWS)]
        m = Measured(
            model.cosines(features, text).numpy(),
            features.numpy(),
            model.logit_scale,
            self.cropped,
            np.stack([model.cosines(c, text).numpy() for c in crops]),
            self.weights.cpu().numpy(),
            self.predictions,
        )
        metrics = measured(tested, case.test.truth, case.classes, model.logit_scale)
        return {
            "epoch": epoch,
            "hm": metrics["hm"],
            "acc": metrics["acc"],
            "auc": metrics["auc"],
            "change": round(model.change(), 6),
            "criteria": {k: round(c.measure(m), 6) for k, c in CRITERIA.items()},
        }

    def _crops(self, draw: int) -> torch.Tensor:
        parts = [
            self.model.encode_image(
                self.views.crops(self.cropped[i : i + 32], (self.case.seed, CROPS, draw, i))
            )
            for i in range(0, len(self.cropped), 32)
        ]
        return torch.cat(parts).cpu()


def summarize(found: dict[str, list[dict]]) -> dict:
    """How well each criterion orders the candidates of each world by HM.

    found: by world, its candidates, the zero-shot model first. → {"worlds", "best", "rows"}; best: the
    mean gain of the best candidate over zero-shot; rows: one per criterion, {"criterion", "title",
    "rho" (mean Spearman correlation with HM), "regret" (best minus chosen), "worst_regret", "gain" (chosen
    minus zero-shot), "worst", "harmed" (share of worlds more than 1 point below zero-shot)}, in points.
    """
    rows = []
    for name, criterion in CRITERIA.items():
        if not found:
            break
        rho, regret, gain = [], [], []
        for candidates in found.values():
            hm = np.array([c["hm"] for c in candidates])
            values = np.array([c["criteria"][name] for c in candidates])
            if np.ptp(values) and np.ptp(hm):
                rho.append(float(spearmanr(values, hm)[0]))
            chosen = hm[int(values.argmax())]
            regret.append(hm.max() - chosen)
            gain.append(chosen - hm[0])
        rows.append(
            {
                "criterion": name,
                "title": criterion.title,
                "rho": round(float(np.mean(rho)), 3) if rho else None,
                "regret": round(float(np.mean(regret)), 2),
                "worst_regret": round(float(np.max(regret)), 1),
                "gain": round(float(np.mean(gain)), 2),
                "worst": round(float(np.min(gain)), 1),
                "harmed": round(float(np.mean(np.array(gain) < -1)), 3),
            }
        )
    best = [max(c["hm"] for c in cs) - cs[0]["hm"] for cs in found.values()]
    return {
        "worlds": len(found),
        "best": round(float(np.mean(best)), 2) if best else None,
        "rows": rows,
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
    for row in summary["rows"]:
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
    """OUT/evidence.json and .md."""
    write_json(out / "evidence.json", summary)
    write_bytes(out / "evidence.md", ("\n".join(markdown(summary)) + "\n").encode("utf-8"))
