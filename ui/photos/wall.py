"""The photo wall: thumbnails that move between the groups they are predicted as."""

from collections.abc import Sequence
from functools import lru_cache

import streamlit as st

from ueo_core.analysis.photo_wall import Frame, chosen_photos, frames_of_run
from ueo_core.runs.folder import RunFolder
from ueo_core.runs.snapshot import read_snapshot
from ueo_core.workspace.dataset import Dataset
from ui.common import thumbs
from ui.common.shell import ROOT

_FOLDER = ROOT / "assets" / "photos"
_PICTURES = st.components.v2.component(
    "ueo_wall_pictures",
    html="<span></span>",
    js=(_FOLDER / "pictures.js").read_text(encoding="utf-8"),
)
_WALL = st.components.v2.component(
    "ueo_photo_wall",
    html=(_FOLDER / "wall.html").read_text(encoding="utf-8"),
    css=(_FOLDER / "wall.css").read_text(encoding="utf-8"),
    js=(_FOLDER / "wall.js").read_text(encoding="utf-8"),
)


def pictures(dataset: Dataset) -> None:
    """Send the thumbnails, once: the wall's updates then carry only where each belongs."""
    reference = dataset.pool
    _PICTURES(
        key="photos.pictures",
        data={
            "wall": reference["set"],
            "pictures": _sources(reference["store"], reference["set"], reference["n"]),
        },
    )


@lru_cache(maxsize=2)  # up to 3 MB each
def _sources(store: str, set_id: str, count: int) -> list[str]:
    reference = {"store": store, "set": set_id}
    return [thumbs.source(reference, i) for i in chosen_photos(count).tolist()]


def draw(dataset: Dataset, frames: Sequence[Frame], classes: Sequence[str]) -> float | None:
    """The wall at the last of the frames, or all photos in one group. → the threshold of the last
    frame where the viewer has moved it"""
    n = dataset.pool["n"]
    shown = chosen_photos(n)
    names = thumbs.names(dataset.pool)
    if len(names) != n:
        st.info(
            "The photos of this dataset were deleted from the store; add them again.",
            icon=":material/hide_image:",
        )
        return None
    result = _WALL(
        key=f"photos.wall.{dataset.id}",
        data={
            "wall": dataset.pool["set"],
            "names": [names[i] for i in shown],
            "classes": list(classes),
            "frames": [_plain(frame, shown) for frame in frames],
        },
        on_threshold_change=lambda: None,
    )
    if len(shown) < n:
        st.caption(
            f"{len(shown):,} of {n:,} photos are shown, evenly chosen; all are adapted to and exported."
        )
    if len(frames) > 1:
        st.caption("Dashed frame: the prediction differs from zero-shot.")
    return result.threshold


def _plain(frame: Frame, shown) -> dict:
    return {
        "title": frame.title,
        "prediction": frame.prediction[shown].tolist(),
        "confidence": [round(100 * float(v)) for v in frame.confidence[shown]],
        "score": [round(float(v), 8) for v in frame.score[shown]],
        "seen": [int(v) for v in frame.seen[shown]],
        "unknown": [int(v) for v in frame.unknown[shown]],
        "threshold": frame.threshold,
    }


@lru_cache(maxsize=4)
def frames_of(path: str, evaluations: int, state: str) -> tuple[Frame, ...]:
    """The frames of a run, read again when it has evaluated or ended."""
    folder = RunFolder(path)
    return tuple(frames_of_run(folder, read_snapshot(folder)))
