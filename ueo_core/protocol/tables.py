"""A protocol's rows as tables: JSON, CSV, and Markdown with mean ± deviation over seeds. No torch."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ueo_core.config.methods import VARIANTS, ZERO_SHOT
from ueo_core.utils.files import read_json, write_bytes, write_json
from ueo_core.utils.shapes import NUMBER, Maybe, has_shape

COLUMNS = {
    "acc": "ACC",
    "auc": "AUC",
    "hm": "HM(ACC, AUC)",
    "fpr95": "FPR95",
    "ece": "ECE",
    "auc_msp": "AUC by MSP",
    "pool_acc": "ACC, pool",
    "pool_hm": "HM, pool",
}
# Of rows that choose their learning rate: the model that evidence without labels recommends.
RECOMMENDED = {"recommended_hm": "HM, recommended", "evidence": "evidence, recommended"}
LOWER_IS_BETTER = ("fpr95", "ece")
METRICS = ("acc", "auc", "hm", "fpr95", "ece", "auc_msp", "hm_msp", "fpr95_msp")
_FIGURES = dict.fromkeys(METRICS, Maybe(NUMBER))
_ROW = {
    "backbone": str,
    "shift": str,
    "method": str,
    "seed": int,
    "n_pool": int,
    "n_test": int,
    "seconds": NUMBER,
    **_FIGURES,
    "pool": _FIGURES,
    "lr": Maybe(NUMBER),
    "model": Maybe(str),
    "evidence": Maybe(NUMBER),
    "recommended": Maybe(_FIGURES),
}


def read_row(path: Path) -> dict | None:
    """A row as it was written; None if it is missing or damaged, so that it is done again."""
    found = read_json(path)
    return found if has_shape(found, _ROW) else None


def flat(row: dict) -> dict:
    """A row without nesting: what was measured on the pool is called pool_…, and so on."""
    found: dict = {}
    for key, value in row.items():
        nested = isinstance(value, dict)
        found |= {f"{key}_{k}": v for k, v in value.items()} if nested else {key: value}
    return found


def summary(rows: Sequence[dict]) -> list[dict]:
    """Mean and deviation over the seeds, one entry a backbone, shift and method, in order of rows.

    → [{"backbone", "shift", "method", "title", "seeds", "seconds", "mean": {…}, "deviation": {…},
    "worst": …, "worst_recommended": …, "rates": […]}]. The deviation is the sample's (n − 1), None for one
    seed; a value that no seed has is None. "worst" is the least gain of a seed over zero-shot on that seed, in
    HM: how stable a method is; "worst_recommended" is that of the recommended models, and "rates" are the
    learning rates that were chosen, ascending, empty for a method that chooses none.
    """
    zero = {_place(r): r["hm"] for r in rows if r["method"] == ZERO_SHOT}
    groups: dict[tuple, list[dict]] = {}
    for row in rows:
        groups.setdefault((row["backbone"], row["shift"], row["method"]), []).append(flat(row))
    found = []
    for (backbone, shift, method), mine in groups.items():
        mean, deviation = {}, {}
        for key in (*COLUMNS, *RECOMMENDED):
            values = [r[key] for r in mine if r.get(key) is not None]
            mean[key] = float(np.mean(values)) if values else None
            deviation[key] = float(np.std(values, ddof=1)) if len(values) > 1 else None
        found.append(
            {
                "backbone": backbone,
                "shift": shift,
                "method": method,
                "title": VARIANTS[method].title if method in VARIANTS else method,
                "seeds": len(mine),
                "seconds": float(np.mean([r["seconds"] for r in mine])),
                "mean": mean,
                "deviation": deviation,
                "worst": _worst(mine, zero) if method != ZERO_SHOT else None,
                "worst_recommended": _worst(mine, zero, "recommended_hm"),
                "rates": sorted({r["lr"] for r in mine if r.get("lr") is not None}),
            }
        )
    return found


def _place(row: dict) -> tuple:
    """What two rows share that differ in their method alone."""
    return row["backbone"], row["shift"], row["seed"]


def _worst(rows: Sequence[dict], zero: dict[tuple, float | None], key: str = "hm") -> float | None:
    """The least gain in HM over zero-shot; None without a row that can be compared."""
    pairs = [(r.get(key), zero.get(_place(r))) for r in rows]
    gains = [hm - before for hm, before in pairs if hm is not None and before is not None]
    return min(gains, default=None)


def markdown(rows: Sequence[dict]) -> list[str]:
    """The summary as a Markdown table, the best mean of a category shift in bold; oracles do not compete.

    Where rows have chosen their rates, the recommended model and the rates stand beside the last epoch.
    """
    entries = summary(rows)
    chosen = any("recommended" in row for row in rows)
    columns = COLUMNS | (RECOMMENDED if chosen else {})
    more = ["worst gain, recommended", "learning rates"] if chosen else []
    heads = ["model", "shift", "method", *columns.values(), "worst gain in HM", *more, "seconds"]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for entry in entries:
        baselines = [
            e
            for e in entries
            if (e["backbone"], e["shift"]) == (entry["backbone"], entry["shift"])
            and not VARIANTS[e["method"]].oracle
        ]
        cells = [entry["backbone"], entry["shift"], entry["title"]]
        cells += [_cell(entry, key, baselines) for key in columns]
        cells.append(_signed(entry["worst"]))
        if chosen:
            cells += [_signed(entry["worst_recommended"]), _range(entry["rates"])]
        lines.append(f"| {' | '.join(cells)} | {entry['seconds']:.0f} |")
    return lines


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.1f}"


def _range(ascending: Sequence[float]) -> str:
    ends = dict.fromkeys(f"{rate:g}" for rate in (*ascending[:1], *ascending[-1:]))
    return " to ".join(ends) or "–"


def _cell(entry: dict, key: str, baselines: list[dict]) -> str:
    mean, deviation = entry["mean"][key], entry["deviation"][key]
    if mean is None:
        return "–"
    digits = 2 if key == "evidence" else 1  # it is at most 5; all others are percent
    text = f"{mean:.{digits}f}"
    text += "" if deviation is None else f" ± {deviation:.{digits}f}"
    others = [e["mean"][key] for e in baselines if e["mean"][key] is not None]
    best = others and mean == (min(others) if key in LOWER_IS_BETTER else max(others))
    return f"**{text}**" if best and entry in baselines else text


def csv_text(rows: Sequence[dict]) -> str:
    """One line per row, with the numbers as they were measured."""
    lines = [flat(row) for row in rows]
    names = list(dict.fromkeys(name for line in lines for name in line))
    buffer = io.StringIO(newline="")
    table = csv.DictWriter(buffer, names, restval="")
    table.writeheader()
    table.writerows(lines)
    return buffer.getvalue()


def write_table(out: Path, rows: Sequence[dict]) -> None:
    """OUT/table.json, .csv and .md, beside and renamed."""
    write_json(out / "table.json", {"rows": list(rows), "summary": summary(rows)})
    texts = {"csv": csv_text(rows), "md": "\n".join(markdown(rows)) + "\n"}
    for ending, text in texts.items():
        write_bytes(out / f"table.{ending}", text.encode("utf-8"))
