"""The report of an intake: what was used, what was not, and why."""

from pathlib import Path

import streamlit as st

from ueo_core.data.intake_report import IntakeReport
from ueo_core.data.labels import map_folders
from ueo_core.data.limits import LIMITS_EXAMPLE
from ueo_core.data.store import Store
from ueo_core.workspace.dataset import Dataset
from ui.common.image_grid import Thumbnail, image_grid, page_indices

_ROWS = 5_000  # a table of more is for the command line's JSON


def draw(dataset: Dataset) -> None:
    """The report of the pool, and how its subfolders relate to the class names."""
    report = account(dataset, "pool")
    if not report.folders:
        return
    st.subheader("Images per subfolder")
    mapped = map_folders(report.folders, list(dataset.classes))
    looks = {folder: f"looks like {name}" for folder, name in mapped.suggestions.items()}
    relation = {**mapped.exact, **looks}
    st.dataframe(
        [
            {"Subfolder": name, "Images": n}
            | ({"Among your classes": relation.get(name, "no")} if dataset.classes else {})
            for name, n in report.folders.items()
        ],
        hide_index=True,
    )


def account(dataset: Dataset, part: str) -> IntakeReport:
    """Every file that was skipped, removed as a duplicate or has a warning, with its reason."""
    reference = dataset.pool if part == "pool" else dataset.holdout
    report = Store(Path(reference["store"])).report(reference["set"])
    total = report.usable + len(report.skipped) + report.duplicates
    speed = f" in {report.seconds:.1f} s" if report.seconds else ""
    st.markdown(
        f"**{report.usable:,} of {total:,} files can be used**{speed}; short side kept: "
        f"{report.short_side} pixels{', colors converted to sRGB' if report.srgb else ''}. {len(report.skipped):,} were skipped, {report.duplicates:,} are "
        f"exact copies of another one, {len(report.warnings):,} have a warning."
    )
    if report.limited:
        st.caption("A limit excluded some files. To raise it, start the app with:")
        st.code(f"{LIMITS_EXAMPLE} streamlit run app.py", language="bash", wrap_lines=True)
    rows = [{"What": "skipped", "File": s.name, "Why": s.reason} for s in report.skipped]
    rows += [
        {"What": "duplicate", "File": name, "Why": f"the same file as {same}"}
        for name, same in report.duplicate_names
    ]
    rows += [
        {"What": "warning", "File": w.name or "(the whole set)", "Why": w.reason}
        for w in report.warnings
    ]
    if rows:
        _table(rows, f"{part}.{dataset.id}")
        _odd(dataset, part, report)
    else:
        st.success("No file was skipped, no file is a duplicate, and there are no warnings.")
    return report


def _odd(dataset: Dataset, part: str, report: IntakeReport) -> None:
    """The images that have a warning."""
    images = dataset.images(part)
    index = {name: i for i, name in enumerate(images.names)}
    reasons: dict[str, list[str]] = {}
    for warned in report.warnings:
        if warned.name in index:
            reasons.setdefault(warned.name, []).append(warned.reason)
    odd = list(reasons.items())
    if not odd:
        return
    st.markdown("**Images with a warning**")
    visible = page_indices(len(odd), f"data.odd.{part}.{dataset.id}")
    image_grid(
        [
            Thumbnail(images.thumbnail(index[name]), f"{name}: {', '.join(why)}")
            for name, why in (odd[k] for k in visible)
        ]
    )


def _table(rows: list[dict], id: str) -> None:
    kinds = sorted({row["What"] for row in rows})
    which, search = st.columns([2, 3])
    chosen = which.pills(
        "Show", kinds, selection_mode="multi", default=kinds, key=f"data.kinds.{id}"
    )
    text = search.text_input("File or reason contains", key=f"data.why.{id}").casefold().strip()
    shown = [
        row
        for row in rows
        if row["What"] in chosen and text in f"{row['File']} {row['Why']}".casefold()
    ]
    st.dataframe(
        shown[:_ROWS],
        hide_index=True,
        column_config={"Why": st.column_config.TextColumn(width="large")},
    )
    if len(shown) > _ROWS:
        st.caption(
            f"The first {_ROWS:,} of {len(shown):,} rows; `python -m ueo_core ingest --json` has all."
        )
