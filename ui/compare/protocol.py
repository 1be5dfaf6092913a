"""The Protocol tab of Compare: several methods, category shifts and seeds on labeled images."""

import streamlit as st

from ueo_core.config.methods import VARIANTS
from ueo_core.config.settings import Settings
from ueo_core.drawings.render import DOMAINS
from ueo_core.drawings.sample import SHOWCASE_DOMAIN
from ueo_core.protocol.benchmarks import CATEGORY_SHIFTS
from ueo_core.utils.durations import duration
from ueo_core.utils.errors import UserError
from ueo_core.workspace.dataset import list_datasets
from ueo_core.workspace.equivalent_command import study_commands
from ueo_core.workspace.study import (
    DRAWINGS,
    MOST_STUDY_SEEDS,
    Study,
    carry_out_study,
    damaged_studies,
    dataset_fingerprint,
    delete_study,
    measured_part,
    missing_rows,
    probe_dataset,
    save_study,
    shift_sizes,
    studies,
    study_rows,
    study_seconds,
    study_shifts,
)
from ueo_core.workspace.time_estimate import estimate_time
from ui.adapt.page import TEACHING, backbone
from ui.common.network import public
from ui.common.shell import damaged, jobs, manager, parameter, problem, set_parameter
from ui.common.text import markdown
from ui.compare import protocol_result

TICK = 1.0  # seconds
SHOWN_FIRST = ("zero-shot", "ueo", "infomax", "entmin")  # UEO and the baselines it extends
DEFAULT_SEEDS = 2


def show() -> None:
    """Choose, run and show; `?protocol=` keeps which one is shown."""
    st.markdown(
        "Does UEO help on images like yours? A protocol adapts with several methods and seeds in several "
        "category shifts (which classes the pool contains) and scores every result on the same test "
        "images. It needs labels, which are used for scoring only."
    )
    damaged(damaged_studies())
    kept = {study.id: study for study in studies()}
    wanted = parameter("protocol")
    if wanted and wanted not in kept:
        st.warning(
            f"Protocol “{markdown(wanted)}”: there is none of that name; open another, or configure a new one below."
        )
    chosen = kept.get(wanted)
    if kept:
        st.session_state["protocol.shown"] = chosen and chosen.id
        st.selectbox(
            "Protocols",
            list(kept),
            format_func=lambda i: kept[i].title,
            key="protocol.shown",
            index=None,
            placeholder="Open one, or configure a new one below",
            width=720,
            on_change=lambda: set_parameter("protocol", st.session_state["protocol.shown"]),
        )
    if text := st.session_state.pop("protocol.problem", None):
        problem(text)
    if chosen:
        _show_study(chosen)
    with st.expander(
        "New protocol, or more results of an existing one",
        icon=":material/add_chart:",
        expanded=chosen is None,
        key=f"protocol.new.{chosen is None}",
    ):
        _new_protocol()


# A new protocol


def _new_protocol() -> None:
    try:
        study = _choices()
    except UserError as error:
        problem(error)
        return
    if not study.shifts or not study.methods:
        st.caption("Choose at least one category shift and one method.")
        return
    st.dataframe(
        [
            {
                "category shift": s.shift,
                "class names": s.classes,
                "images in the pool": s.pool,
                "unknown in the pool": s.ood,
                "test images": s.test,
            }
            for s in shift_sizes(study)
        ],
        hide_index=True,
        key="protocol-sizes",
    )
    rows = study_rows(study)
    missing = missing_rows(study, rows)
    done = (
        f", of which {len(study.keys) - missing} are finished" if missing < len(study.keys) else ""
    )
    st.markdown(
        f"**{len(study.keys)} results** ({len(study.methods)} methods × {len(study.shifts)} category shifts × "
        f"{study.seeds} seeds){done}."
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Run the protocol" if missing else "Show the results",
            type="primary",
            key="protocol.run",
            icon=":material/play_arrow:" if missing else ":material/visibility:",
            on_click=_start,
            args=(study,),
        )
        if missing:
            _estimate(study, rows)
    _command(study)


def _command(study: Study) -> None:
    with st.expander("Command-line equivalent", icon=":material/terminal:", key="protocol.command"):
        st.code(public(study_commands(study)), language="bash", wrap_lines=True)
        if not study.drawn:
            st.caption(
                "Replace FOLDER or TEST with the location of these images on your disk, with one subfolder "
                "per class: the command reads labels from folder names only."
            )


def _choices() -> Study:
    """The study chosen in the widgets; UserError if these images allow none."""
    datasets = {d.id: d for d in list_datasets() if measured_part(d)}
    sources = {DRAWINGS: "Drawings, generated on this machine"} | {
        d.id: f"{d.title} ({d.pool['n']:,} images)" for d in datasets.values()
    }
    left, right = st.columns(2)
    data = left.selectbox(
        "Labeled images",
        list(sources),
        format_func=sources.get,
        key="protocol.data",
        help="The Drawings, or a dataset of the Data page whose images have labels.",
    )
    by_share, weights = False, None
    if data == DRAWINGS:
        domain = right.selectbox(
            "Drawing style",
            list(DOMAINS),
            key="protocol.domain",
            index=list(DOMAINS).index(SHOWCASE_DOMAIN),
        )
        title, fingerprint = f"Drawings, {domain}", domain
        name = st.segmented_control(
            "Backbone",
            list(TEACHING),
            default=next(iter(TEACHING)),
            required=True,
            key="protocol.backbone",
            help="; ".join(f"{k}: {v}" for k, v in TEACHING.items()),
        )
    else:
        title, fingerprint = datasets[data].title, dataset_fingerprint(datasets[data])
        by_share = right.toggle(
            "Treat part of the labels as unknown",
            key=f"protocol.share.{data}",
            value=not datasets[data].classes,
            help="As in the paper: the first 10 of every 13 labels, in alphabetical order, are the known "
            "classes, and the others are unknown. Otherwise the class names of the dataset are the known ones.",
        )
        name, weights = backbone()
    possible, notes = study_shifts(data, by_share)
    for note in notes:
        st.caption(f":material/info: {markdown(note)}")
    shifts = st.pills(
        "Category shifts: the pool contains …",
        possible,
        selection_mode="multi",
        default=[s for s in possible if s != "plain"],
        key=f"protocol.shifts.{'.'.join(possible)}",
        help="; ".join(f"**{k}**: {CATEGORY_SHIFTS[k]}" for k in possible),
    )
    methods = st.pills(
        "Methods",
        list(VARIANTS),
        selection_mode="multi",
        default=list(SHOWN_FIRST),
        format_func=lambda m: VARIANTS[m].title,
        key="protocol.methods",
    )
    one, two, three, _ = st.columns(4)
    defaults = Settings.for_backbone(name)
    seeds = one.number_input("Seeds", 1, MOST_STUDY_SEEDS, DEFAULT_SEEDS, key="protocol.seeds")
    epochs = two.number_input(
        "Epochs",
        1,
        1000,
        defaults.epochs,
        key=f"protocol.epochs.{name}",
        help="Passes over the pool. A changed number applies to every method that trains.",
    )
    lr = three.number_input(
        "Learning rate",
        0.0,
        100.0,
        defaults.lr,
        1e-4,
        "%.6f",
        key=f"protocol.lr.{name}",
        help="Peak rate of SGD. A changed rate applies to every method that trains.",
    )
    return Study(
        data,
        title,
        fingerprint,
        by_share,
        name,
        weights,
        tuple(s for s in possible if s in shifts),
        tuple(m for m in VARIANTS if m in methods),
        int(seeds),
        int(epochs),
        None if lr == defaults.lr else lr,
    )


def _estimate(study: Study, rows: list[dict]) -> None:
    """The time estimate, measured on request: it loads the model and takes a few training steps."""
    key = f"protocol-estimate-{study.id}"
    job = jobs().get(key)
    if job is None:
        st.button(
            "Measure how long it will take",
            icon=":material/timer:",
            key="protocol.measure",
            on_click=lambda: jobs().start(
                key,
                "The estimate",
                lambda job: estimate_time(probe_dataset(study), study.settings, job.check),
                again=True,
            ),
        )
    elif job.running:
        st.fragment(_measuring, run_every=0.5, key="protocol.measuring")(key)
    elif job.error:
        problem(job.error)
    else:
        seconds = study_seconds(study, job.result, rows)
        busy = ", longer while a run is in progress" if manager().active() else ""
        st.markdown(f":material/timer: **About {duration(seconds)}**{busy}.")


def _measuring(key: str) -> None:
    job = jobs().get(key)
    if job is None or not job.running:
        st.rerun()
    st.caption(":material/timer: Measuring a few training steps …")


def _start(study: Study) -> None:
    """A callback; while the study is running, a second click starts nothing."""
    try:
        save_study(study)
    except UserError as error:
        st.session_state["protocol.problem"] = str(error)
        return
    set_parameter("protocol", study.id)
    if missing_rows(study, study_rows(study)):
        jobs().start(
            f"protocol-{study.id}",
            "The protocol",
            lambda job: carry_out_study(study, job),
            again=True,
        )


def _delete(study: Study) -> None:
    delete_study(study)
    jobs().forget(f"protocol-{study.id}")
    set_parameter("protocol", None)


# One study


def _show_study(study: Study) -> None:
    job = jobs().get(f"protocol-{study.id}")
    rows = study_rows(study)
    missing = missing_rows(study, rows)
    st.subheader(markdown(study.title))
    if job and job.running:
        st.fragment(_progress, run_every=TICK, key="protocol.live")(study, len(rows))
    elif job and job.error:
        problem(job.error)
    if missing and not (job and job.running):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                "Continue",
                type="primary",
                icon=":material/play_arrow:",
                key="protocol.continue",
                on_click=_start,
                args=(study,),
            )
            st.caption(
                f"{len(study.keys) - missing} of {len(study.keys)} results are finished and will be kept."
            )
    if rows:
        protocol_result.show(study, rows)
    if not (job and job.running):
        with st.popover("Delete this protocol", icon=":material/delete:"):
            st.markdown(f"Delete the protocol and its {len(rows)} results? The images are kept.")
            st.button(
                "Delete protocol",
                type="primary",
                key="protocol.delete",
                on_click=_delete,
                args=(study,),
            )


def _progress(study: Study, known: int) -> None:
    job = jobs().get(f"protocol-{study.id}")
    rows = study_rows(study)
    if job is None or not job.running or len(rows) != known:
        st.rerun()  # to add a new result to the table, or because the job has ended
    words = [job.what or "Loading the model"]
    if job.seconds_left is not None:
        words.append(f"about {duration(job.seconds_left)} left")
    done = len(study.keys) - missing_rows(study, rows)
    bar, cancel = st.columns([5, 1], vertical_alignment="center")
    bar.progress(
        min(1.0, job.done / job.total) if job.total else 0.0,
        text=markdown(f"{done} of {len(study.keys)} results · {' · '.join(words)}"),
    )
    cancel.button(
        "Cancelling …" if job.cancelled else "Cancel",
        key="protocol.cancel",
        on_click=job.cancel,
        disabled=job.cancelled,
        help="Stops after the current step; finished results are kept.",
    )
