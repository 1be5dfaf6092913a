"""Where images come from: the sample, a folder, a zip, a path; and the intake as it goes."""

import uuid

import streamlit as st

import ueo_core as core
from ui import shell

KINDS = {
    "sample": ":material/draw: Built-in sample",
    "folder": ":material/folder: Folder",
    "zip": ":material/folder_zip: Zip file",
    "path": ":material/computer: Path on this machine",
}
LOCAL = ("localhost", "127.0.0.1", "::1")
JOB = "intake"  # one at a time: two would only slow each other down


def draw() -> None:
    """The intake under way, or the sources to choose from."""
    job = shell.jobs().get(JOB)
    if job and job.running:
        with st.container(border=True):
            st.fragment(_progress, run_every=0.5, key="data.progress")()
        return
    if job:
        _ended(job)
    if problem := st.session_state.get("data.problem"):
        _problem(problem)
    empty = not core.list_datasets()
    if empty:
        _first()
    with st.expander(
        "Add images", icon=":material/add_photo_alternate:", expanded=empty, key="data.add"
    ):
        kind = st.segmented_control(
            "Where are they?", list(KINDS), format_func=KINDS.get, default="sample", required=True,
            key="data.kind",
        )  # fmt: skip
        {"sample": _sample, "folder": _folder, "zip": _zip, "path": _path}[kind]()


def _first() -> None:
    """The empty state: one button that always works."""
    with st.container(border=True):
        st.subheader("Nothing here yet")
        st.markdown(
            "Start with the built-in sample, drawn on this machine in a few seconds, or add your own "
            "images below."
        )
        st.button(
            "Draw the built-in sample", type="primary", icon=":material/draw:",
            on_click=_draw_sample, args=(core.DEFAULT_SHIFT, 0, core.SHOWCASE_DOMAIN),
        )  # fmt: skip


# The job


def _begin(title: str, work) -> None:
    """Start an intake; a second click while one runs changes nothing."""
    shell.jobs().start(JOB, title, work, again=True)
    st.session_state["data.mine"] = True
    st.session_state.pop("data.problem", None)


def _progress() -> None:
    job = shell.jobs().get(JOB)
    if job is None or not job.running:
        st.rerun()
    st.session_state["data.mine"] = True  # also after a refresh: whoever watches is taken along
    left = f", about {_clock(job.seconds_left)} left" if job.done else ""
    speed = f" · {job.rate:.0f} a second{left}" if job.done else ""
    st.text(job.title)
    st.progress(
        job.done / job.total if job.total else 0.0,
        f"{job.done:,} of {job.total:,} files{speed}" if job.total else "Listing the files",
    )
    st.button(
        "Stop, and keep what is done", icon=":material/stop:", on_click=job.cancel,
        disabled=job.cancelled,
    )  # fmt: skip


def _ended(job: core.Job) -> None:
    """Show the outcome to the session that waited for it, once."""
    if not st.session_state.pop("data.mine", False):
        return
    shell.jobs().forget(JOB)
    if job.error:
        st.session_state["data.problem"] = job.error
    elif isinstance(job.result, core.TakenIn):
        if job.result.dataset:
            shell.set_parameter("data", job.result.dataset)
        else:
            st.session_state["data.problem"] = job.result.report
    elif job.result:
        shell.set_parameter("data", job.result.id)


def _problem(problem) -> None:
    """Why there is no dataset, until the next try: a sentence, or the report of a useless source."""
    if isinstance(problem, str):
        shell.problem(problem)
        return
    files = problem.usable + len(problem.skipped) + problem.duplicates
    st.error(
        f"{problem.usable} of {files} files could be used, and adaptation needs two different images; "
        "see why below, then choose others."
    )
    st.dataframe(
        [{"File": s.name, "Reason": s.reason} for s in problem.skipped[:1000]], hide_index=True
    )


# The sources


def _sample() -> None:
    shift, domain, seed, go = st.columns([4, 3, 2, 3], vertical_alignment="bottom")
    shift = shift.selectbox(
        "What the pile holds", list(core.SHIFTS), index=list(core.SHIFTS).index(core.DEFAULT_SHIFT),
        format_func=lambda s: f"{s}: {core.SHIFTS[s].about}", key="data.shift",
    )  # fmt: skip
    domains = [d for d in core.DOMAINS if d != core.SOURCE_DOMAIN] + [core.SOURCE_DOMAIN]
    domain = domain.selectbox(
        "How it is drawn", domains, index=domains.index(core.SHOWCASE_DOMAIN), key="data.domain",
        format_func=lambda d: f"{d} (as in training)" if d == core.SOURCE_DOMAIN else d,
    )  # fmt: skip
    seed = seed.number_input("Seed", 0, 2**31, 0, key="data.seed")
    go.button(
        "Draw it", type="primary", icon=":material/draw:", width="stretch",
        on_click=_draw_sample, args=(shift, int(seed), domain),
    )  # fmt: skip
    st.caption(
        "An unlabeled pile of drawings and a labelled test set. The seed decides which things are "
        "classes and which are strangers."
    )


def _draw_sample(shift: str, seed: int, domain: str) -> None:
    _begin(
        f"Drawing the sample: {shift}, {domain}, seed {seed}",
        lambda job: core.sample_dataset(shift, seed, domain, progress=job.progress),
    )


def _folder() -> None:
    _upload("Drag a folder here, or choose one", "directory", None)
    st.caption(
        "Subfolders are fine. For more than a few thousand photos a zip or a path is faster."
    )


def _zip() -> None:
    _upload("Drag a zip file here, or choose one", False, ["zip"])


def _upload(label: str, multiple, types: list[str] | None) -> None:
    side = _side()
    # A new key empties the widget, and with it the server's memory, once the files are on disk.
    key = st.session_state.setdefault("data.upload", uuid.uuid4().hex)
    given = st.file_uploader(label, types, accept_multiple_files=multiple, key=f"data.{key}")
    if not given:
        return
    try:
        with st.spinner("Moving the files to the studio's disk …"):
            files = given if isinstance(given, list) else [given]
            spooled = core.spool([(file.name, file) for file in files])
    except core.UserError as error:
        shell.problem(error)
        return
    st.session_state["data.upload"] = uuid.uuid4().hex
    _begin(f"Taking in {spooled.title}", lambda job: core.take_uploads(job, spooled, side))
    st.rerun()


def _path() -> None:
    if st.get_option("server.address") not in LOCAL:
        st.info(
            "Paths are off: this server can be reached from other machines. Upload a folder or a zip."
        )
        return
    if not core.roots():
        st.info(
            "Paths are off until you say which folders the app may read. Stop it, and start it with "
            "their names:"
        )
        st.code(f"{core.ROOTS}=/path/to/photos streamlit run app.py", language="bash")
        return
    side = _side()
    path = st.text_input(
        "Folder or zip file", placeholder=str(core.roots()[0]), key="data.path",
        help="Inside: " + ", ".join(str(root) for root in core.roots()),
    )  # fmt: skip
    st.button(
        "Take it in", type="primary", icon=":material/download:", disabled=not path.strip(),
        on_click=lambda: _begin(f"Taking in {path}", lambda job: core.take_path(job, path, side)),
    )  # fmt: skip


def _side() -> int:
    """The size at which images are kept."""
    return st.selectbox(
        "Keep them large enough for", list(core.SIDES), key="data.side",
        format_func=lambda side: f"{core.SIDES[side]}: short side {side} pixels",
        help="Images are decoded once and kept at this size. A training crop keeps half of the area or "
        "more, so at this size it is never enlarged.",
    )  # fmt: skip


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
