"""A protocol's rows as tables: JSON, CSV, and Markdown with mean ± deviation over seeds. No torch."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ueo_core.config.methods import VARIANTS
from ueo_core.utils.files import read_json, write_bytes, write_json
from ueo_core.utils.shapes import NUMBER, Maybe, has_shape

COLUMNS = {
    "acc": "ACC",
    "auc": "AUC",
    "hm": "HM(ACC, AUC)",
    "fpr95": "FPR95",
    "auc_msp": "AUC by MSP",
    "pool_acc": "ACC, pool",
    "pool_hm": "HM, pool",
}
METRICS = ("acc", "auc", "hm", "fpr95", "auc_msp", "hm_msp", "fpr95_msp")
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
}


def read_row(path: Path) -> dict | None:
    """A row as it was written; None if it is missing or damaged, so that it is done again."""
    found = read_json(path)
    return found if has_shape(found, _ROW) else None


def flat(row: dict) -> dict:
    """A row without nesting: what was measured on the pool is called pool_…"""
    inner = {f"pool_{k}": v for k, v in row["pool"].items()}
    return {k: v for k, v in row.items() if k != "pool"} | inner


def summary(rows: Sequence[dict]) -> list[dict]:
    """Mean and deviation over the seeds, one entry a backbone, shift and method, in order of rows.

    → [{"backbone", "shift", "method", "title", "seeds", "seconds", "mean": {…}, "deviation": {…}}].
    The deviation is the sample's (n − 1), None for one seed; a value that no seed has is None.
    """
    groups: dict[tuple, list[dict]] = {}
    for row in rows:
        groups.setdefault((row["backbone"], row["shift"], row["method"]), []).append(flat(row))
    found = []
    for (backbone, shift, method), mine in groups.items():
        mean, deviation = {}, {}
        for key in COLUMNS:
            values = [r[key] for r in mine if r[key] is not None]
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
            }
        )
    return found


def markdown(rows: Sequence[dict]) -> list[str]:
    """The summary as a Markdown table, the best mean of a category shift in bold; oracles do not compete."""
    lines = [
        f"| model | shift | method | {' | '.join(COLUMNS.values())} | seconds |",
        f"|{'---|' * (len(COLUMNS) + 4)}",
    ]
    entries = summary(rows)
    for entry in entries:
        baselines = [
            e
            for e in entries
            if (e["backbone"], e["shift"]) == (entry["backbone"], entry["shift"])
            and not VARIANTS[e["method"]].oracle
        ]
        cells = [_cell(entry, key, baselines) for key in COLUMNS]
        names = f"{entry['backbone']} | {entry['shift']} | {entry['title']}"
        lines.append(f"| {names} | {' | '.join(cells)} | {entry['seconds']:.0f} |")
    return lines


def _cell(entry: dict, key: str, baselines: list[dict]) -> str:
    mean, deviation = entry["mean"][key], entry["deviation"][key]
    if mean is None:
        return "–"
    text = f"{mean:.1f}" if deviation is None else f"{mean:.1f} ± {deviation:.1f}"
    others = [e["mean"][key] for e in baselines if e["mean"][key] is not None]
    best = others and mean == (min(others) if key == "fpr95" else max(others))
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
