"""`compare`: finished runs side by side, with the numbers of the Compare page."""

import argparse
from dataclasses import asdict, replace
from pathlib import Path

from ueo_core.analysis import compare as side_by_side
from ueo_core.analysis.compare import FIGURES, ZERO_SHOT, ComparedRun, Mean, Model, Row
from ueo_core.analysis.method_evidence import evidence_sentences
from ueo_core.analysis.paired_tests import (
    ACCURACY_TEST,
    INTERVAL,
    Paired,
    against,
    summary_sentence,
)
from ueo_core.evaluation.ood_scores import SCORES
from ueo_core.runs.folder import RunFolder
from ueo_core.utils.errors import UserError


def compare(args: argparse.Namespace, tick) -> tuple[list[str], dict]:
    paths = list({path.resolve(): path for path in args.runs}.values())  # each folder once
    folders = [RunFolder.open(path) for path in paths]
    part = args.set or side_by_side.parts_of(folders)[0]
    found: list[ComparedRun] = []
    for path, folder in zip(paths, folders, strict=True):
        tick(f"{len(found)} of {len(folders)} runs read")
        # Folders may share a name, their paths do not.
        opened = side_by_side.open_compared_run(folder, part, args.score)
        found.append(replace(opened, run=str(path)))
    reference = _reference(args.reference, found)
    tests = against(found, reference)
    rows = side_by_side.table(found)
    data = {
        "set": part,
        "score": args.score,
        "temperature": SCORES[args.score].temperature(found[0].logit_scale),
        "cautions": side_by_side.cautions(found),
        "differences": {d.name: d.values for d in side_by_side.differences(found)},
        "rows": [_row(row) for row in rows],
        "evidence": evidence_sentences(found),
        "reference": ZERO_SHOT if reference.side == "before" else reference.compared_run.run,
        "tests": [_test(t) for t in tests],
        "test_names": {"p": ACCURACY_TEST, "p_holm": "Holm's correction", "intervals": INTERVAL},
    }
    return _lines(data, rows, tests, found), data


def _reference(wanted: str, found: list[ComparedRun]) -> Model:
    """What the others are tested against: the first run's zero-shot, or one of the runs."""
    models = side_by_side.models(found)
    if wanted == ZERO_SHOT:
        return next(iter(models.values()))
    for compared_run in found:
        if Path(compared_run.run).resolve() == Path(wanted).resolve():
            return models[compared_run.run]
    raise UserError(
        f"Reference “{wanted}”: it is not among the runs; name one of them, or {ZERO_SHOT}."
    )


def _row(row: Row) -> dict:
    """One row of the table as plain numbers."""
    figures = {k: m and {"mean": m.value, "deviation": m.deviation} for k, m in row.figures.items()}
    return {"title": row.title, "runs": row.runs, "seeds": row.seeds, **figures}


def _test(test: Paired) -> dict:
    return asdict(test) | {"verdict": test.verdict}


def _lines(data: dict, rows: list[Row], tests: list[Paired], found: list[ComparedRun]) -> list[str]:
    called = side_by_side.names(found)
    lines = [f"caution: {sentence}" for sentence in data["cautions"]]
    lines.append(
        f"{data['set']}, {data['score']} ({data['temperature']}), mean ± deviation over seeds"
    )
    width = max(len(row.title) for row in rows)
    lines.append(f"{'':<{width}}  seeds  " + "  ".join(f"{k:>12}" for k in FIGURES))
    for row in rows:
        cells = "  ".join(f"{_cell(row.figures[k]):>12}" for k in FIGURES)
        lines.append(f"{row.title:<{width}}  {len(row.seeds) or '–':>5}  {cells}")
    lines += data["evidence"]
    for name, values in data["differences"].items():
        lines.append(f"{name}: " + "; ".join(f"{run}: {value}" for run, value in values.items()))
    for test in tests:
        lines.append(
            f"{test.run} against {data['reference']}: +{test.gained} −{test.lost} of {test.n_known} "
            f"known images, p = {test.p_value:.2g} ({ACCURACY_TEST}), {test.p_holm:.2g} after Holm"
        )
        for metric, c in test.metrics.items():
            d = c.difference
            lines.append(
                f"  {metric.upper()} {d.value:+.1f} points, 95 % {d.low:+.1f} to {d.high:+.1f}"
            )
    if tests:
        lines += [f"intervals: {INTERVAL}", summary_sentence(tests, called, data["reference"])]
    return lines


def _cell(figure: Mean | None) -> str:
    return "–" if figure is None else str(figure)
