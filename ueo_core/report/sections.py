"""The sections of the report, from the same functions that the Inspect page draws."""

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

from ueo_core.analysis.histograms import histogram
from ueo_core.analysis.image_selections import gallery_views
from ueo_core.analysis.live_metrics import decimated
from ueo_core.analysis.per_class import class_changes, confusion_rows
from ueo_core.analysis.run_result import Inspection, SetResult
from ueo_core.analysis.threshold_effect import Effect, effect_rows, roc_points, threshold_effect
from ueo_core.analysis.verdict import Verdict
from ueo_core.data.store import Store
from ueo_core.evaluation.metrics import OOD, confusion, evaluate
from ueo_core.evaluation.ood_scores import DEFAULT_SCORE, SCORES
from ueo_core.evaluation.thresholds import mixture_threshold
from ueo_core.inference.adapter_file import AdapterFile
from ueo_core.report import svg
from ueo_core.runs.snapshot import Snapshot
from ueo_core.utils.errors import UserError

SIDES = {"before": "Before (zero-shot)", "after": "After (adapted)"}
PICTURES = 12  # of a gallery; 5 kB each
SHOWN = 40  # classes in the chart; the table holds all
MATRIX = 30  # classes up to which the confusion can be read on a page
METRICS = {
    "acc": "ACC, mean accuracy of the classes",
    "auc": "AUC, known against unknown",
    "hm": "HM, harmonic mean of the two",
    "fpr95": "FPR95, unknown accepted where 95 % of the known are (lower is better)",
    "aupr": "AUPR, precision and recall of the known",
    "ece": "ECE, calibration error of the answers (lower is better)",
}


def thresholds(opened: Inspection, adapter_file: AdapterFile) -> dict[str, float]:
    """The run's own threshold, and the one that the same guess gives for the zero-shot model."""
    pool = opened.parts["pool"].scores(DEFAULT_SCORE)
    return {"before": mixture_threshold(pool["before"]), "after": adapter_file.threshold}


def verdict_box(verdict: Verdict) -> str:
    items = "".join(f"<li>{escape(s)}</li>" for s in verdict.sentences)
    return f'<div class="verdict {verdict.kind}"><b>{escape(verdict.headline)}</b><ul>{items}</ul></div>'


def metrics(opened: Inspection, part: SetResult, verdict: Verdict) -> str:
    """The headline metrics, with the interval of the difference where there is one."""
    found = {
        side: evaluate(c, part.truth, opened.classes, opened.logit_scale)
        for side, c in part.cosines.items()
    }
    rows = []
    for key, title in METRICS.items():
        before, after = found["before"][key], found["after"][key]
        if after is None:
            continue
        compared = verdict.metrics.get(key)
        interval, kind = "", ""
        if compared:
            interval = f"{compared.difference.low:+.1f} to {compared.difference.high:+.1f}"
            kind = {"better": "good", "worse": "bad", "same": ""}[compared.verdict]
        rows.append(
            f'<tr data-metric="{key}"><th>{title}</th><td>{before:.1f} %</td><td>{after:.1f} %</td>'
            f'<td class="{kind}">{after - before:+.1f}</td><td>{interval}</td></tr>'
        )
    return _table(("", "Before", "After", "Difference", "95 % interval"), rows) + (
        '<p class="soft">Intervals: paired bootstrap of the images within each class; a difference whose '
        "interval holds 0 may be chance.</p>"
    )


def separation(
    opened: Inspection, part: SetResult, limits: dict[str, float], verdict: Verdict
) -> str:
    """Histograms of both sides with their thresholds, what these do, and the ROC."""
    scores = part.scores(DEFAULT_SCORE)
    figures = []
    for side, title in SIDES.items():
        groups = {"images": scores[side]}
        if part.labeled:
            groups = {
                "known": scores[side][part.truth >= 0],
                "unknown": scores[side][part.truth == OOD],
            }
        bars = histogram(groups)
        drawn = svg.histogram(
            bars.edges,
            bars.counts,
            SCORES[DEFAULT_SCORE].title,
            limits[side],
            f"{title}: histogram of the score with the threshold",
        )
        figures.append(_figure(drawn, title))
    legend = "plain: known, striped: unknown, " if part.labeled else ""
    effects = {
        s: threshold_effect(scores[s], t, part.prediction[s], part.truth) for s, t in limits.items()
    }
    below = [f"<div><h3>What the thresholds do</h3>{_effects(effects, len(part))}</div>"]
    curves = {s: roc_points(v, part.truth) for s, v in scores.items()}
    if all(c is not None for c in curves.values()):
        auc = verdict.metrics["auc"]
        words = "; ".join(
            f"{name}: AUC {i.value:.1f}, 95 % interval {i.low:.1f} to {i.high:.1f}"
            for name, i in (("before (dashed, ■)", auc.before), ("after (●)", auc.after))
        )
        points = {s: (e.fpr, e.tpr) for s, e in effects.items()}
        below.append(_figure(svg.roc(curves, points, "ROC before and after"), words))
    return (
        f'<div class="two">{"".join(figures)}</div><p class="soft">{legend}dashed line: the threshold.</p>'
        f'<div class="two">{"".join(below)}</div>'
    )


def _effects(effects: dict[str, Effect], n: int) -> str:
    cells = [
        f"<tr><th>{name}</th>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>"
        for name, row in effect_rows(effects, n)
    ]
    return _table(("", "Before", "After"), cells)


def class_by_class(opened: Inspection, part: SetResult) -> str:
    """Accuracy of every class, and who is taken for whom; empty without labels."""
    if not part.n_id:
        return ""
    rows = class_changes(
        part.prediction["before"], part.prediction["after"], part.truth, opened.classes
    )
    cells = [
        f"<tr><th>{escape(r.name)}</th><td>{r.n}</td><td>{r.before:.1f}</td><td>{r.after:.1f}</td>"
        f"<td>{r.change:+.1f}</td><td>{r.gained}</td><td>{r.lost}</td><td>{r.p_value:.2g}</td></tr>"
        for r in rows
    ]
    table = _table(("Class", "n", "Before %", "After %", "Change", "↑", "↓", "p"), cells)
    chart = svg.classes(rows[:SHOWN], "Accuracy of every class before and after")
    caption = "■ before, ● after, with 95 % Wilson intervals; the greatest loss is on top"
    return (
        f'<h2>Class by class</h2><div class="two">{_figure(chart, caption)}<div>{table}'
        '<p class="soft">↑, ↓: images that became right, or wrong; p: exact sign test of ↑ against ↓.'
        f"</p></div></div>{_confusion(opened, part)}"
    )


def _confusion(opened: Inspection, part: SetResult) -> str:
    if len(opened.classes) > MATRIX:
        return ""
    counts = confusion(part.prediction["after"], part.truth, len(opened.classes))
    head = "".join(f"<th>{escape(name)}</th>" for name in opened.classes)
    rows = []
    for truth, name in confusion_rows(opened.classes, part.truth):
        row = counts[truth]
        cells = "".join(
            f'<td class="{"right" if i == truth else ""}" style="background:color-mix(in srgb, '
            f'var(--after) {70 * n / max(1, row.sum()):.0f}%, transparent)">{n or ""}</td>'
            for i, n in enumerate(row)
        )
        rows.append(f"<tr><th>{escape(name)}</th>{cells}</tr>")
    return (
        '<h3>Who is taken for whom, after</h3><div class="scroll"><table class="confusion"><thead><tr>'
        f"<th></th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        '<p class="soft">Rows: what it is; columns: the answer; framed: right.</p>'
    )


def training(now: Snapshot) -> str:
    """The loss and its terms over the steps."""
    of = {
        k: [(p["step"], p[k]) for p in decimated(now.series)]
        for k in ("loss", "entropy", "marginal")
    }
    drawn = svg.lines(of, "step", "The loss and its two terms over the steps")
    words = "Loss (solid), entropy of each image (dashed), entropy of the mean (dotted); nats"
    return f'<div class="two">{_figure(drawn, words)}</div>'


def galleries(opened: Inspection, part: SetResult, limits: dict[str, float]) -> str:
    """The first images of what one should look at: in the pile, and mistakes where labels tell."""
    pool = opened.parts["pool"]
    found = [(pool, "unknown", "in the pile"), (pool, "changed", "in the pile")]
    found += [(part, key, "") for key in ("became-wrong", "unknown-accepted")]
    sections = []
    for where, key, words in found:
        view = gallery_views(where).get(key)
        if view is None:
            continue
        images = view.pick(where, where.scores(DEFAULT_SCORE), limits)
        if len(images):
            title = f"{view.title} {words}".strip()
            shown = f"The first {PICTURES} of {len(images):,}. " if len(images) > PICTURES else ""
            sections.append(
                f'<h2>{title}</h2><p class="soft">{shown}{view.about}</p>'
                f'<div class="wall">{"".join(_cards(opened, where, images[:PICTURES]))}</div>'
            )
    return "".join(sections)


def _cards(opened: Inspection, part: SetResult, images: Sequence[int]) -> list[str]:
    try:
        kept = Store(Path(part.reference["store"])).open(part.reference["set"])
    except UserError:
        kept = None
    cards = []
    for i in images:
        before, after = (opened.classes[part.prediction[s][i]] for s in SIDES)
        sure = {s: f"{100 * part.confidence[s][i]:.0f}&nbsp;%" for s in SIDES}
        truth = int(part.truth[i])
        lines = [
            f"<b>{escape(after)}</b> {sure['after']}",
            f'<span class="was">before: {escape(before)} {sure["before"]}</span>',
        ]
        if truth == OOD:
            lines.append("<i>is none of the classes</i>")
        elif truth >= 0 and truth != part.prediction["after"][i]:
            lines.append(f"<i>is {escape(opened.classes[truth])}</i>")
        body = "".join(f"<div>{line}</div>" for line in lines)
        cards.append(f"<figure>{_picture(kept, int(i))}{body}</figure>")
    return cards


def _picture(kept, i: int) -> str:
    """The thumbnail within the page; a word where the image was deleted from the store."""
    try:
        name, jpeg = kept.names[i], kept.thumbnail(i)
    except (UserError, AttributeError, IndexError):
        return "<div>(deleted from the store)</div>"
    data = base64.b64encode(jpeg).decode("ascii")
    return f'<img alt="{escape(name)}" title="{escape(name)}" src="data:image/jpeg;base64,{data}">'


def _figure(drawn: str, caption: str) -> str:
    return f"<figure>{drawn}<figcaption>{escape(caption)}</figcaption></figure>"


def _table(head: Sequence[str], rows: Sequence[str]) -> str:
    cells = "".join(f"<th>{name}</th>" for name in head)
    return (
        f'<div class="scroll"><table><thead><tr>{cells}</tr></thead><tbody>{"".join(rows)}</tbody>'
        "</table></div>"
    )
