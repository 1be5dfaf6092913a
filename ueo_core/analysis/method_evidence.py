"""Runs of several methods on one pool, compared by the evidence that needs no labels.

Every run that chose its rate has measured the model it recommends by the same criteria
(`evaluation.evidence`), on the same images and crops where the seeds are equal.
"""

import json
from collections.abc import Sequence

import numpy as np

from ueo_core.analysis.compare import ZERO_SHOT, ComparedRun
from ueo_core.config.methods import METHODS
from ueo_core.evaluation.selection import inconclusive
from ueo_core.utils.shapes import NUMBER, has_shape

DEFAULT_METHOD = "ueo"
CLEAR = 0.25  # difference of evidence from which it speaks for a method
# The settings on which it depends what is measured; the others change the model that is measured.
_MEASURED_BY = (
    *("backbone", "pretrained", "prompt", "templates"),
    *("weight_temperature", "crop_scale", "flip", "mode"),
)
_GUARD = {"model": str, "evidence": dict}


def evidence_of(run: ComparedRun) -> float | None:
    """Evidence for the model that a run recommends, at most 5; None where there is none to compare.

    Only runs that chose their rate have it, and not those on pools of which nothing can be concluded.
    """
    guard = run.guard
    if guard is None or not has_shape(guard, _GUARD) or not guard["model"]:
        return None
    zero, best = (guard["evidence"].get(name) for name in (ZERO_SHOT, guard["model"]))
    if not has_shape(zero, {"information": NUMBER}) or not has_shape(best, {"evidence": NUMBER}):
        return None
    if inconclusive(zero, run.pool["n"], len(run.classes)):
        return None
    return float(best["evidence"])


def evidence_sentences(compared_runs: Sequence[ComparedRun]) -> list[str]:
    """For every pool on which UEO and another method were measured alike: which the evidence speaks for.

    Of a method, only seeds count that UEO has as well, and of equal seeds the first run. UEO stays the
    default; evidence is a sign, not a measurement.
    """
    pools: dict[str, dict[str, dict[int, float]]] = {}  # → method → seed → evidence
    names: dict[str, str] = {}
    adapted: set[str] = set()  # pools on which a run recommends more than zero-shot
    for run in compared_runs:
        if (value := evidence_of(run)) is not None:
            key = _measured_alike(run)
            names[key] = run.pool["name"]
            adapted |= {key} if run.guard and run.guard["model"] != ZERO_SHOT else set()
            seeds = pools.setdefault(key, {}).setdefault(run.settings.method, {})
            seeds.setdefault(run.settings.seed, value)
    compared = {key: found for key, pool in pools.items() if (found := _against_default(pool))}
    sentences = []
    for key, found in compared.items():
        where = f"“{names[key]}”" if len(compared) > 1 else "these images"
        sentences.append(_sentence(found, where) if key in adapted else _zero_shot(found, where))
    return sentences


def _measured_alike(run: ComparedRun) -> str:
    """A key that is equal for runs whose evidence is of the same images, up to the seed."""
    settings = run.settings.to_json()
    how = [settings[name] for name in _MEASURED_BY]
    return json.dumps([run.pool["fingerprint"], run.classes, run.synonyms, how])


def _against_default(pool: dict[str, dict[int, float]]) -> list[tuple[str, float, float, int]]:
    """→ [(method, its evidence, UEO's on the same seeds, how many seeds)], most for the method first"""
    own, found = pool.get(DEFAULT_METHOD, {}), []
    for method, seeds in pool.items():
        common = sorted(own.keys() & seeds.keys())
        if method != DEFAULT_METHOD and common:
            its, ueo = (float(np.mean([of[s] for s in common])) for of in (seeds, own))
            found.append((method, its, ueo, len(common)))
    return sorted(found, key=lambda row: row[2] - row[1])


def _zero_shot(found: list[tuple[str, float, float, int]], where: str) -> str:
    return (
        f"Evidence without labels speaks for zero-shot on {where} ({found[0][2]:.2f} of 5): every run "
        "recommends the original model."
    )


def _sentence(found: list[tuple[str, float, float, int]], where: str) -> str:
    method, its, ueo, seeds = found[0]
    title, default = METHODS[method].title, METHODS[DEFAULT_METHOD].title
    of = f"; mean of {seeds} seeds" if seeds > 1 else ""
    best = "best baseline " if len(found) > 1 else ""
    lead = round(its - ueo, 2)
    if lead >= CLEAR:
        return (
            f"Evidence without labels speaks for {title} on {where} "
            f"({its:.2f} of 5; {default} {ueo:.2f}{of}); {default} stays the default."
        )
    if lead <= -CLEAR:
        return (
            f"Evidence without labels speaks for {default} on {where} "
            f"({ueo:.2f} of 5; {best}{title} {its:.2f}{of})."
        )
    return (
        f"Evidence without labels speaks for no method on {where} "
        f"({default} {ueo:.2f} of 5; {best}{title} {its:.2f}{of}; less than {CLEAR} apart)."
    )
