"""`inspect`: what adaptation changed in a finished run, with the numbers of the Inspect page."""

import argparse
from dataclasses import asdict

from ueo_core.analysis.checkpoints import checkpoint_steps, score_checkpoints, unscored_steps
from ueo_core.analysis.hand_estimates import Estimates, estimate_by_hand, judge_by_hand
from ueo_core.analysis.hand_labels import load_hand_labels
from ueo_core.analysis.per_class import class_changes
from ueo_core.analysis.run_result import Inspection, SetResult, read_inspection
from ueo_core.analysis.threshold_effect import threshold_effect
from ueo_core.analysis.verdict import judge
from ueo_core.analysis.with_negatives import with_negatives
from ueo_core.evaluation.ood_scores import DEFAULT_SCORE, NEG_LABEL, score_named
from ueo_core.runs.folder import RunFolder
from ueo_core.utils.errors import UserError


def inspect(args: argparse.Namespace, tick) -> tuple[list[str], dict]:
    folder = RunFolder.open(args.run)
    if args.step is not None:
        _score(folder, args.step, tick)
    opened, score = read_inspection(folder, args.step), args.score
    words: list[str] = []
    if args.negatives is not None:
        if score != DEFAULT_SCORE:
            raise UserError(
                f"Score “{score}”: --negatives is for the score NegLabel; leave one of the two out."
            )
        opened, words = with_negatives(folder, opened, args.negatives)
        score = NEG_LABEL
    part = opened.parts.get(args.set or opened.default)
    if part is None:
        raise UserError(f"Set “{args.set}”: this run has none; choose {' or '.join(opened.parts)}.")
    by_hand = None if part.labeled else _by_hand(folder, part, score)
    verdict = judge_by_hand(by_hand) if by_hand else judge(part, score, opened.classes)
    data = {
        "run": str(args.run),
        "set": part.name,
        "step": opened.step,
        "final": opened.final,
        "images": len(part),
        "n_id": part.n_id,
        "n_ood": part.n_ood,
        "score": score,
        "temperature": score_named(score).temperature(opened.logit_scale),
        "verdict": {
            "kind": verdict.kind,
            "headline": verdict.headline,
            "sentences": verdict.sentences,
        },
        "intervals": {
            name: asdict(c) | {"verdict": c.verdict} for name, c in verdict.metrics.items()
        },
        "metrics": _metrics(opened, part, score),
        "thresholds": _thresholds(opened, part, score, args.threshold),
        "classes": [
            asdict(c)
            for c in class_changes(
                part.prediction["before"], part.prediction["after"], part.truth, opened.classes
            )
        ],
        "estimates": by_hand and asdict(by_hand),
    }
    data |= {"negatives": words} if words else {}
    return _lines(data), data


def _score(folder: RunFolder, step: int, tick) -> None:
    """Score a checkpoint that has no scores yet."""
    steps = checkpoint_steps(folder)
    if step not in steps:
        raise UserError(
            f"Step {step}: the run has no checkpoint there; choose one of {', '.join(map(str, steps))}."
        )
    if step in unscored_steps(folder):
        score_checkpoints(
            folder, [step], lambda done, total: tick(f"{done} of {total} images scored")
        )


def _by_hand(folder: RunFolder, part: SetResult, score: str) -> Estimates | None:
    return estimate_by_hand(part, load_hand_labels(folder, part), score)


def _metrics(opened: Inspection, part: SetResult, score: str) -> dict | None:
    """The headline metrics by side; None without labels."""
    if not part.labeled:
        return None
    found = part.metrics(score, opened.classes)
    return {side: {k: v for k, v in m.items() if k != "per_class"} for side, m in found.items()}


def _thresholds(opened: Inspection, part: SetResult, score: str, given: float | None) -> dict:
    """What the thresholds do, by side: the one given, else the mixture's guess from the pool."""
    guess = opened.parts["pool"].thresholds(score) if given is None else {}
    found = {}
    for side, values in part.scores(score).items():
        limit = guess[side] if given is None else given
        found[side] = asdict(threshold_effect(values, limit, part.prediction[side], part.truth))
    return found | {"guess": given is None}


def _lines(data: dict) -> list[str]:
    lines = [data["verdict"]["headline"]]
    lines += [f"  {sentence}" for sentence in data["verdict"]["sentences"]]
    lines.append(
        f"{data['set']}, {data['images']} images, after step {data['step']} of {data['final']}; "
        f"{data['score']} ({data['temperature']})"
    )
    for side in ("before", "after"):
        e = data["thresholds"][side]
        text = f"{side:>9}  threshold {e['threshold']:.6g}: {e['accepted']} accepted, {e['rejected']} unknown"
        if e["tpr"] is not None:
            text += f", TPR {e['tpr']:.1f}"
        if e["fpr"] is not None:
            text += f", FPR {e['fpr']:.1f}"
        if e["accuracy"] is not None:
            text += f", {e['accuracy']:.1f} % right among the accepted"
        lines.append(text)
    if data["thresholds"]["guess"]:
        lines.append("the thresholds are guesses: of a two-component mixture of the pool's scores")
    return lines
