"""Where images come from: the sample, a folder, a zip, a path."""

import uuid

import streamlit as st

from ueo_core.drawings.render import DOMAINS, SOURCE_DOMAIN
from ueo_core.drawings.sample import DEFAULT_SHIFT, SHIFTS, SHOWCASE_DOMAIN
from ueo_core.utils.errors import UserError
from ueo_core.workspace.dataset import Dataset, list_datasets, sample_dataset
from ueo_core.workspace.upload import SIDES, ingest_path, ingest_upload, roots, spool
from ui.common import shell, uploads
from ui.data import intake

KINDS = {
    "folder": ":material/folder: Folder",
    "zip": ":material/folder_zip: Zip file",
    "path": ":material/computer: Path on this machine",
    "sample": ":material/draw: Built-in sample",
}


def draw() -> None:
    """The running intake, or the sources to choose from."""
    if intake.draw():
        return
    empty = not list_datasets()
    if empty:
        _first()
    with st.expander(
        "Add images", icon=":material/add_photo_alternate:", expanded=empty, key="data.add"
    ):
        if (kind := _kind("data.kind", list(KINDS))) == "sample":
            _sample()
        else:
            _own(kind, "data", _side(), _srgb())


def for_test_set(dataset: Dataset) -> None:
    """The sources of a labeled test set, stored as the dataset's own images are."""
    images = dataset.images()
    kind = _kind("data.held.kind", [kind for kind in KINDS if kind != "sample"])
    _own(kind, "data.held", max(images.stored_sides), images.srgb, holdout_of=dataset.id)


def _kind(key: str, kinds: list[str]) -> str:
    # Kept while an intake hides it, so that a failed path can be corrected.
    return st.segmented_control(
        "Where are they?",
        kinds,
        format_func=KINDS.get,
        default=kinds[0],
        required=True,
        key=key,
        persist_state="session",
    )


def _first() -> None:
    """The empty state: one button that always works."""
    with st.container(border=True):
        st.subheader("No images yet")
        st.markdown(
            "Start with the built-in sample, drawn on this machine in a few seconds, or add your own "
            "images below."
        )
        st.button(
            "Draw the built-in sample",
            type="primary",
            icon=":material/draw:",
            on_click=_draw_sample,
            args=(DEFAULT_SHIFT, 0, SHOWCASE_DOMAIN),
        )


def _sample() -> None:
    shift, domain, seed, go = st.columns([4, 3, 2, 3], vertical_alignment="bottom")
    shift = shift.selectbox(
        "What the pool contains",
        list(SHIFTS),
        index=list(SHIFTS).index(DEFAULT_SHIFT),
        format_func=lambda s: f"{s}: {SHIFTS[s].about}",
        key="data.shift",
    )
    domains = [d for d in DOMAINS if d != SOURCE_DOMAIN] + [SOURCE_DOMAIN]
    domain = domain.selectbox(
        "How it is drawn",
        domains,
        index=domains.index(SHOWCASE_DOMAIN),
        key="data.domain",
        format_func=lambda d: f"{d} (as in training)" if d == SOURCE_DOMAIN else d,
    )
    seed = seed.number_input("Seed", 0, 2**31, 0, key="data.seed")
    go.button(
        "Draw it",
        type="primary",
        icon=":material/draw:",
        width="stretch",
        on_click=_draw_sample,
        args=(shift, int(seed), domain),
    )
    st.caption(
        "An unlabeled pool of drawings and a labeled test set. The seed decides which objects are "
        "classes and which are unknown."
    )


def _draw_sample(shift: str, seed: int, domain: str) -> None:
    intake.begin(
        f"Drawing the sample: {shift}, {domain}, seed {seed}",
        lambda job: sample_dataset(shift, seed, domain, progress=job.advance),
    )


def _own(kind: str, prefix: str, side: int, srgb: bool, holdout_of: str | None = None) -> None:
    """One's own images: an upload, or a path; for a dataset of their own or as a test set."""
    if kind == "path":
        _path(prefix, side, srgb, holdout_of)
    elif kind == "zip":
        _upload("zip", prefix, side, srgb, holdout_of)
    else:
        _upload("folder", prefix, side, srgb, holdout_of)
        most = st.get_option("server.maxUploadSize")
        st.caption(
            f"Subfolders are fine. For more than {most:,} MB take a path on this machine: what is uploaded "
            "passes through the memory of the server."
        )


def _upload(kind: str, prefix: str, side: int, srgb: bool, holdout_of: str | None) -> None:
    # A new key empties the widget, and with it the server's memory, once the files are on disk.
    key = f"{prefix}.{st.session_state.setdefault(f'{prefix}.upload', uuid.uuid4().hex)}"
    if kind == "zip":
        one = st.file_uploader("Drag a zip file here, or choose one", ["zip"], key=key)
        given = [one] if one else []
    else:
        given = uploads.uploader("Drag a folder here, or choose one", True, key)
    if not given:
        return
    try:
        with st.spinner("Moving the files to the studio's disk …"):
            spooled = spool([(file.name, file) for file in given])
    except UserError as error:
        shell.problem(error)
        return
    st.session_state[f"{prefix}.upload"] = uuid.uuid4().hex
    intake.begin(
        f"Importing {spooled.title}",
        lambda job: ingest_upload(job, spooled, side, holdout_of, srgb),
    )
    st.rerun()


def _path(prefix: str, side: int, srgb: bool, holdout_of: str | None) -> None:
    if not shell.paths_allowed():
        return
    path = st.text_input(
        "Folder or zip file",
        placeholder=str(roots()[0]),
        key=f"{prefix}.path",
        help="Inside: " + ", ".join(str(root) for root in roots()),
        persist_state="session",
    )
    st.button(
        "Import",
        type="primary",
        icon=":material/download:",
        disabled=not path.strip(),
        key=f"{prefix}.take",
        on_click=lambda: intake.begin(
            f"Importing {path}", lambda job: ingest_path(job, path, side, holdout_of, srgb)
        ),
    )


def _side() -> int:
    """The size at which images are kept."""
    return st.selectbox(
        "Store images large enough for",
        list(SIDES),
        key="data.side",
        format_func=lambda side: f"{SIDES[side]}: short side {side} pixels",
        help="Images are decoded once and stored at this size. A training crop has at least half of the "
        "area, so at this size it is never enlarged.",
        persist_state="session",
    )


def _srgb() -> bool:
    """Whether colors are converted."""
    return st.checkbox(
        "Convert colors to sRGB",
        key="data.srgb",
        help="By the color profile of each photo, for example Display P3 of a phone. Otherwise profiles are "
        "ignored, as open_clip does. Photos without a profile stay as they are.",
        persist_state="session",
    )
