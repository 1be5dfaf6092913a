"""A run as one HTML file: everything in it, nothing fetched, fit to be mailed and printed.

Every number comes from the functions that the Inspect page and `evaluate` call.
"""

import time
from html import escape
from pathlib import Path

from ueo_core import __version__
from ueo_core.analysis.hand_estimates import estimate_by_hand, judge_by_hand
from ueo_core.analysis.hand_labels import load_hand_labels
from ueo_core.analysis.run_result import Inspection, read_inspection
from ueo_core.analysis.verdict import Verdict, judge
from ueo_core.config.methods import METHODS
from ueo_core.evaluation.ood_scores import DEFAULT_SCORE, SCORES
from ueo_core.inference.adapter_file import AdapterFile
from ueo_core.report import sections as parts
from ueo_core.report.style import STYLE
from ueo_core.runs.folder import RunFolder
from ueo_core.runs.run_adapter import adapter_of_run
from ueo_core.runs.snapshot import Snapshot, read_snapshot
from ueo_core.utils.errors import UserError
from ueo_core.utils.files import write_whole

SETS = {"holdout": "the labeled test set", "pool": "the pile it was adapted to"}
# Nothing may be fetched and nothing may run, whatever a file name or a class name holds.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_STRIPES = (
    '<svg width="0" height="0" aria-hidden="true"><defs><pattern id="stripes" width="7" height="7" '
    'patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<path class="stripe" d="M0 0V7"/></pattern></defs></svg>'
)


def write_report(path: Path, folder: RunFolder) -> int:
    """Write the report of a finished run, beside and renamed. → bytes; UserError when it cannot be."""
    data = html_report(folder).encode("utf-8")
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_whole(Path(path), lambda file: file.write(data) and None)
    except OSError as error:
        raise UserError(
            f"Report “{path}”: it cannot be written ({error.strerror}); choose another place."
        ) from None
    return len(data)


def html_report(folder: RunFolder) -> str:
    """The report of a finished run as HTML; UserError when it has no result yet."""
    opened, adapter_file, now = (
        read_inspection(folder),
        adapter_of_run(folder.path),
        read_snapshot(folder),
    )
    part = opened.parts[opened.default]
    verdict = _verdict(folder, opened)
    limits = parts.thresholds(opened, adapter_file)
    sections = [
        f"<h1>{escape(opened.title)}</h1>",
        f'<p class="soft">{escape(_about(opened, adapter_file))}</p>',
        parts.verdict_box(verdict),
        f"<h2>Before and after</h2>{parts.metrics(opened, part, verdict)}" if part.labeled else "",
        "<h2>Known against unknown</h2>",
        f'<p class="soft">{escape(_threshold_words(adapter_file, opened))}</p>',
        parts.separation(opened, part, limits, verdict),
        parts.class_by_class(opened, part),
        f"<h2>The training</h2>{parts.training(now)}" if now.series else "",
        parts.galleries(opened, part, limits),
        f"<h2>What was run</h2>{_facts(opened, adapter_file, now, folder)}",
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(opened.title)} · UEO Studio</title><style>{STYLE}</style></head>"
        f"<body>{_STRIPES}{''.join(sections)}</body></html>\n"
    )


def _verdict(folder: RunFolder, opened: Inspection) -> Verdict:
    """As on Inspect: by the labels, else by those that a person gave to a sample."""
    part = opened.parts[opened.default]
    if not part.labeled:
        by_hand = estimate_by_hand(part, load_hand_labels(folder, part), DEFAULT_SCORE)
        if by_hand:
            return judge_by_hand(by_hand)
    return judge(part, DEFAULT_SCORE, opened.classes)


def _about(opened: Inspection, adapter_file: AdapterFile) -> str:
    part = opened.parts[opened.default]
    made = time.strftime(
        "%d %B %Y", time.localtime(adapter_file.metadata.get("created", time.time()))
    )
    found = (
        f"CLIP ({Path(adapter_file.metadata['backbone']).name.removesuffix('.json')}) adapted by {METHODS[opened.method].title} to "
        f"{opened.parts['pool'].reference['n']:,} unlabeled images for {len(opened.classes)} classes, "
        f"{made}. Scored on {SETS[part.name]}: {len(part):,} images"
    )
    if part.labeled:
        found += f", {part.n_id:,} of the classes and {part.n_ood:,} of none"
    return f"{found}. Labels were used for scoring only."


def _threshold_words(adapter_file: AdapterFile, opened: Inspection) -> str:
    return (
        f"Score: {SCORES[DEFAULT_SCORE].title} ({SCORES[DEFAULT_SCORE].temperature(opened.logit_scale)}); "
        f"an image below the threshold counts as unknown. The threshold ({adapter_file.threshold:.6f} after) is "
        "drawn where two bell curves fitted to the pile's scores cross, without any label: a guess."
    )


def _facts(opened: Inspection, adapter_file: AdapterFile, now: Snapshot, folder: RunFolder) -> str:
    about, settings = adapter_file.metadata, adapter_file.settings.to_json()
    data, versions = about.get("data", {}), about.get("versions", {})
    # A file's folder says more of its owner than a report needs to.
    weights = Path(about["pretrained"]).name
    rows = {
        "Model": f"{Path(about['backbone']).name}, weights {weights}",
        "Fingerprint of the weights": about.get("weights", "")[:16],
        "Classes": ", ".join(opened.classes),
        "Prompt": f"{about['prompt']} {{class}}.",
        "Images": f"{data.get('name', '')}: {data.get('n', 0):,}, fingerprint {data.get('fingerprint', '')[:16]}",
        "Steps": f"{opened.step} of {opened.steps}, {now.seconds:.0f} s of adapting; the last step is reported",
        "Guard, without labels": opened.guard["reason"] if opened.guard else "off",
        "Settings": ", ".join(
            f"{k} {v}" for k, v in settings.items() if k not in ("backbone", "pretrained", "prompt")
        ),
        "Versions": ", ".join(
            f"{k} {v}"
            for k, v in ({"UEO Studio": about.get("version", __version__)} | versions).items()
        ),
        "Run": folder.id,
    }
    body = "".join(f"<tr><th>{k}</th><td>{escape(str(v))}</td></tr>" for k, v in rows.items())
    notes = "".join(f"<p>{escape(n)}</p>" for n in now.notes)
    return f'<table class="facts"><tbody>{body}</tbody></table>{notes}'
