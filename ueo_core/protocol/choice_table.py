"""How close the rate and the model that are chosen without labels come to the best ones: numbers in, a table out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

HARM = 1.0  # points of HM below zero-shot from which a choice counts as harmful


@dataclass(frozen=True)
class Chosen:
    """HM on one problem, in points; labels measure it, and decide nothing but `best`."""

    name: str
    group: tuple[str, str]  # model and category shift
    showcase: bool  # of the domain that the presets were made for
    zero_shot: float
    best: float  # of all rates and epochs, by labels
    chosen: float  # the recommended model of a run that chooses its rate
    preset: float  # what the safety check recommends of a run at the preset's rate

    @property
    def gain(self) -> float:
        return self.chosen - self.zero_shot


def summarize_choices(rows: Sequence[Chosen]) -> dict:
    """Regret, gain and harm of the choices, over all and by group. {} without rows.

    regret: best minus chosen; gain: chosen minus zero-shot; share: Σ gain / Σ (best − zero-shot);
    harmed: the share of problems more than `HARM` below zero-shot; over_preset: chosen minus preset,
    mean over the domains that are not the showcase, None without one; misses: the names of those
    harmed, or more than `HARM` below the best, worst first.
    """
    if not rows:
        return {}
    groups = sorted({row.group for row in rows})
    misses = [r for r in rows if r.gain < -HARM or r.best - r.chosen > HARM]
    return {
        "problems": len(rows),
        **_figures(rows),
        "groups": {" · ".join(g): _figures([r for r in rows if r.group == g]) for g in groups},
        "misses": [
            {
                "problem": r.name,
                "zero_shot": round(r.zero_shot, 1),
                "best": round(r.best, 1),
                "chosen": round(r.chosen, 1),
            }
            for r in sorted(misses, key=lambda r: r.chosen - r.best)
        ],
    }


def _figures(rows: Sequence[Chosen]) -> dict:
    gains, regrets = [r.gain for r in rows], [r.best - r.chosen for r in rows]
    possible = sum(r.best - r.zero_shot for r in rows)
    others = [r.chosen - r.preset for r in rows if not r.showcase]
    return {
        "n": len(rows),
        "regret": round(float(np.mean(regrets)), 2),
        "worst_regret": round(max(regrets), 1),
        "gain": round(float(np.mean(gains)), 2),
        "worst": round(min(gains), 1),
        "harmed": round(float(np.mean([g < -HARM for g in gains])), 3),
        "share": round(sum(gains) / possible, 3) if possible > 0 else None,
        "over_preset": round(float(np.mean(others)), 2) if others else None,
    }


def choice_markdown(summary: Mapping) -> list[str]:
    """The summary as a Markdown table, and the misses below it."""
    if not summary:
        return ["No problem is finished yet."]
    lines = [
        "| problems | n | regret, mean | regret, largest | gain, mean | gain, least | more than 1 point "
        "below zero-shot | share of the best gain | over the preset's rate, other domains |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
        _line("all", summary),
        *(_line(name, figures) for name, figures in summary["groups"].items()),
    ]
    if summary["misses"]:
        lines += [
            "",
            "| more than 1 point below the best, or below zero-shot | zero-shot | best | chosen |",
            "|---|---:|---:|---:|",
            *(
                f"| {m['problem']} | {m['zero_shot']:.1f} | {m['best']:.1f} | {m['chosen']:.1f} |"
                for m in summary["misses"]
            ),
        ]
    return lines


def _line(name: str, of: Mapping) -> str:
    share = "–" if of["share"] is None else f"{100 * of['share']:.0f} %"
    over = "–" if of["over_preset"] is None else f"{of['over_preset']:+.2f}"
    return (
        f"| {name} | {of['n']} | {of['regret']:.2f} | {of['worst_regret']:.1f} | {of['gain']:+.2f} | "
        f"{of['worst']:+.1f} | {100 * of['harmed']:.0f} % | {share} | {over} |"
    )
