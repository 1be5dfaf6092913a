"""A run as one HTML file: everything in it, nothing fetched, to share and to print.

Every number comes from the functions that the Inspect page and `evaluate` call. The page is
templates/report.html; Jinja escapes whatever a file name or a class name contains.
"""

import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ueo_core import __version__
from ueo_core.analysis.hand_estimates import estimate_by_hand, judge_by_hand
from ueo_core.analysis.hand_labels import load_hand_labels
from ueo_core.analysis.rate_search import tried_rates
from ueo_core.analysis.run_result import Inspection, read_inspection
from ueo_core.analysis.verdict import Verdict, judge
from ueo_core.config.methods import METHODS
from ueo_core.data.class_names import Synonyms
from ueo_core.evaluation.ood_scores import DEFAULT_SCORE, SCORES
from ueo_core.inference.adapter_file import AdapterFile
from ueo_core.report import sections
from ueo_core.runs.folder import IMAGE_SETS, RunFolder
from ueo_core.runs.run_adapter import adapter_of_run
from ueo_core.runs.snapshot import Snapshot, read_snapshot
from ueo_core.utils.durations import clock
from ueo_core.utils.errors import UserError
from ueo_core.utils.files import write_bytes

# Nothing may be fetched and nothing may run, whatever a file name or a class name holds.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def write_report(path: Path, folder: RunFolder) -> int:
    """Write the report of a finished run, whole or not at all. → its size in bytes

    UserError when the run has no result yet or the file cannot be written.
    """
    data = html_report(folder).encode("utf-8")
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_bytes(Path(path), data)
    except OSError as error:
        raise UserError(
            f"Report “{path}”: it cannot be written ({error.strerror}); choose another place."
        ) from None
    return len(data)


def _classes(names: Sequence[str], synonyms: Synonyms) -> str:
    """The classes with their further names in brackets."""
    further = {name: f" ({', '.join(more)})" for name, more in synonyms.items() if more}
    return ", ".join(name + further.get(name, "") for name in names)


@cache
def templates() -> Environment:
    """The templates of the report: everything is escaped, a name that is missing is an error."""
    environment = Environment(
        loader=PackageLoader("ueo_core.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # A number stays on one line with its unit.
    environment.filters["unbroken"] = lambda words: words.replace(" %", "\xa0%")
    return environment


def html_report(folder: RunFolder) -> str:
    """The report of a finished run as HTML; UserError when it has no result yet."""
    opened, adapter_file = read_inspection(folder), adapter_of_run(folder.path)
    now = read_snapshot(folder)
    part = opened.parts[opened.default]
    verdict = _verdict(folder, opened)
    limits = sections.thresholds(opened, adapter_file)
    return (
        templates()
        .get_template("report.html")
        .render(
            policy=POLICY,
            title=opened.title,
            heading=opened.title.partition(" · ")[0],
            subtitle=opened.title.partition(" · ")[2],
            about=_about(opened, adapter_file),
            verdict=verdict,
            metrics=sections.metrics(opened, part, verdict) if part.labeled else [],
            threshold_words=_threshold_words(adapter_file, opened),
            separation=sections.separation(opened, part, limits, verdict),
            class_names=opened.classes,
            classes=sections.class_by_class(opened, part),
            training=sections.training(now),
            terms=sections.TERMS,
            galleries=sections.galleries(opened, part, limits),
            facts=_facts(opened, adapter_file, now, folder),
            notes=now.notes,
        )
    )


def _verdict(folder: RunFolder, opened: Inspection) -> Verdict:
    """As on Inspect: from the labels, else from a sample that a person labeled."""
    part = opened.parts[opened.default]
    if not part.labeled:
        by_hand = estimate_by_hand(part, load_hand_labels(folder, part), DEFAULT_SCORE)
        if by_hand:
            return judge_by_hand(by_hand)
    return judge(part, DEFAULT_SCORE, opened.classes)


def _about(opened: Inspection, adapter_file: AdapterFile) -> str:
    part, meta = opened.parts[opened.default], adapter_file.metadata
    made = ""
    if "created" in meta:
        made = time.strftime(" on %B %d, %Y", time.localtime(meta["created"])).replace(" 0", " ")
    found = (
        f"CLIP ({Path(meta['backbone']).name.removesuffix('.json')}) adapted by "
        f"{METHODS[opened.method].title} to {opened.parts['pool'].reference['n']:,} unlabeled images "
        f"for {len(opened.classes)} classes{made}. Scored on {IMAGE_SETS[part.name]}: {len(part):,} images"
    )
    if sample := opened.parts["pool"].reference.get("sample"):
        found += f"; the pool is a sample of {sample['usable']:,} images"
    if part.labeled:
        found += f", {part.n_id:,} of the classes (known) and {part.n_ood:,} of none (unknown)"
    return f"{found}. Labels were used for scoring only."


def _threshold_words(adapter_file: AdapterFile, opened: Inspection) -> str:
    score = SCORES[DEFAULT_SCORE]
    return (
        f"Score: {score.title} ({score.temperature(opened.logit_scale)}). An image below the threshold "
        f"counts as unknown. The threshold ({adapter_file.threshold:.6f} after) is the unsupervised "
        "threshold (heuristic): where the two Gaussians of a mixture fitted to the scores of the pool "
        "cross, without any label."
    )


def _facts(
    opened: Inspection, adapter_file: AdapterFile, now: Snapshot, folder: RunFolder
) -> dict[str, Any]:
    about, settings = adapter_file.metadata, adapter_file.settings.to_json()
    data, versions = about.get("data", {}), about.get("versions", {})
    # A file's folder says more of its owner than a report needs to.
    weights = Path(about["pretrained"]).name
    elsewhere = ("backbone", "pretrained", "prompt")
    shown = {
        k: v for k, v in settings.items() if k not in elsewhere and v not in (None, [], (), "")
    }
    shown |= {k: "on" if v else "off" for k, v in shown.items() if isinstance(v, bool)}
    return {
        "Model": f"{Path(about['backbone']).name}, weights {weights}",
        "Fingerprint of the weights": about.get("weights", "")[:16],
        "Classes": _classes(opened.classes, adapter_file.synonyms),
        "Prompt": f"{about['prompt']} {{class}}.",
        "Images": f"{data.get('name', '')}: {data.get('n', 0):,}, fingerprint {data.get('fingerprint', '')[:16]}",
        "Steps": f"{opened.step} of {opened.steps}, {clock(now.seconds)} of training; the last step is reported",
        "Learning rate": _rate(now, adapter_file),
        "Safety check, without labels": opened.guard["reason"] if opened.guard else "off",
        "Settings": shown,
        "Versions": {"UEO Studio": about.get("version", __version__)} | versions,
        "Run": folder.id,
    }


def _rate(now: Snapshot, adapter_file: AdapterFile) -> str:
    """The learning rate, and what was tried where it was chosen on the images."""
    rows = tried_rates(now)
    if not rows:
        return f"{adapter_file.settings.lr}, as given"
    tried = "; ".join(
        f"{row.lr:g}: {row.points[-1][1]:.2f}, {row.status}"
        if row.points
        else f"{row.lr:g}: {row.status}"
        for row in rows
    )
    return f"chosen on the images by the evidence without labels (at most 5). {tried}"
