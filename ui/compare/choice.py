"""Compare: the choice of runs, baselines to queue, and runs in progress."""

from collections.abc import Sequence

import streamlit as st

from ueo_core.analysis.live_metrics import phase_sentence, share_done
from ueo_core.analysis.run_picker import MOST, RunEntry, entry, entry_labels, latest_together
from ueo_core.config.methods import METHODS, RUNNABLE
from ueo_core.runs import baseline_sweep
from ueo_core.runs.baseline_sweep import (
    MOST_BASELINE_SEEDS,
    chose_its_rate,
    queue_baselines,
    training_seconds,
)
from ueo_core.utils.durations import duration
from ueo_core.utils.errors import UserError
from ui.common.shell import manager, parameter, problem, set_parameter
from ui.common.text import markdown

KEY = "compare.runs"
TICK = 1.0  # seconds
BASELINES = ("infomax", "entmin")  # UEO without weights; without weights and H(p̄)


def choose(entries: Sequence[RunEntry]) -> list[str]:
    """Draw the selection of runs, kept in `?runs=a,b,c`. → the chosen runs"""
    labels = entry_labels(entries)
    wanted = parameter("runs")
    if wanted is None:
        runs = latest_together(entries) or [e.run for e in entries[:1]]
    else:
        runs = list(dict.fromkeys(r for r in wanted.split(",") if r))
        for run in [r for r in runs if r not in labels]:
            _warn_unavailable(run)
        runs = [r for r in runs if r in labels][:MOST]
    st.session_state[KEY] = runs
    st.multiselect(
        "Runs",
        list(labels),
        format_func=labels.get,
        key=KEY,
        max_selections=MOST,
        on_change=lambda: set_parameter("runs", ",".join(st.session_state[KEY])),
        placeholder="Choose runs",
    )
    return runs


def _warn_unavailable(run: str) -> None:
    """Show why a run of the URL cannot be shown."""
    try:
        found = entry(manager(), run)
        text = f"“{found.title}” has no result yet (state: {found.state}), so it is not shown."
    except UserError as error:
        text = str(error)
    st.warning(markdown(text), icon=":material/warning:")


def baselines(entries: Sequence[RunEntry], chosen: list[str]) -> None:
    """Buttons: select the latest runs on the same data, and queue baselines of a run."""
    if text := st.session_state.pop("compare.problem", None):
        problem(text)
    finished = {e.run: e for e in entries if e.finished}
    with st.container(horizontal=True, vertical_alignment="center"):
        latest = latest_together(entries)
        if latest and chosen != latest:
            st.button(
                "Select the latest runs on the same data",
                icon=":material/history:",
                on_click=_select,
                args=(latest,),
                help="The newest finished runs on the same data as the newest one.",
            )
        bases = [r for r in chosen if r in finished] or list(finished)
        if bases:
            with st.popover("Run baselines", icon=":material/playlist_add:"):
                _baselines(bases, entry_labels(list(finished.values())))


def _baselines(bases: list[str], labels: dict[str, str]) -> None:
    st.caption(
        "Other methods and seeds on the same images, with the class names and settings of a run. "
        "Existing runs are not repeated."
    )
    base = st.selectbox("Same settings as", bases, format_func=labels.get, key="compare.base")
    methods = st.pills(
        "Methods",
        list(RUNNABLE),
        selection_mode="multi",
        default=list(BASELINES),
        format_func=lambda m: METHODS[m].title,
        key="compare.methods",
    )
    left, right = st.columns([2, 3], vertical_alignment="bottom")
    seeds = left.number_input(
        "Seeds per method",
        1,
        MOST_BASELINE_SEEDS,
        1,
        key="compare.seeds",
        help="Starting with the run's own seed. Means and standard deviations are over the seeds.",
    )
    try:
        own_rates = right.toggle(
            "Each run chooses its learning rate",
            value=chose_its_rate(manager(), base),
            key=f"compare.own_rates.{base}",
            help="A rate that suits one method may be too low or too high for another. Without it, all runs "
            "have the rate of the selected run.",
        )
        plan = baseline_sweep.baselines(manager(), base, methods, seeds, own_rates)
        seconds = training_seconds(manager(), base, own_rates)
    except UserError as error:
        problem(error)
        return
    new = sum(r.run is None for r in plan)
    if new:
        search = ", with the search for a rate" if own_rates else ""
        st.markdown(
            f"**{new} new run{'s' * (new != 1)}**, about {duration(new * seconds)} of training{search}: "
            f"the selected run took {duration(manager().snapshot(base).seconds)}."
        )
    else:
        st.markdown("All of these runs already exist or are in progress.")
    st.button(
        f"Queue {new} run{'s' * (new != 1)}" if new else "Show these runs",
        type="primary",
        icon=":material/playlist_add:" if new else ":material/visibility:",
        key="compare.queue",
        on_click=_queue,
        args=(base, tuple(methods), int(seeds), own_rates),
    )


def _queue(base: str, methods: tuple[str, ...], seeds: int, own_rates: bool) -> None:
    """Queue the runs; a second click finds those of the first."""
    try:
        runs = queue_baselines(manager(), base, methods, seeds, own_rates)
    except (UserError, OSError) as error:
        st.session_state["compare.problem"] = str(error)
        return
    old = [r for r in st.session_state.get(KEY, []) if r not in runs]
    _select([*old, *runs][-MOST:])


def _select(runs: list[str]) -> None:
    set_parameter("runs", ",".join(runs))


def in_progress(entries: Sequence[RunEntry]) -> None:
    """Chosen runs without a result yet, with their progress."""
    if entries:
        runs = tuple(e.run for e in reversed(entries))  # as they were queued
        st.fragment(_tick, run_every=TICK, key="compare.live")(runs)


def _tick(runs: tuple[str, ...]) -> None:
    snapshots = [manager().snapshot(run) for run in runs]
    if any(s.state not in ("queued", "running", "stopping") for s in snapshots):
        st.rerun()
    with st.container(border=True, key="compare-in-progress"):
        st.markdown(
            f"**{len(snapshots)} run{'s' * (len(snapshots) != 1)} in progress**; added to the comparison when finished."
        )
        for s in snapshots:
            left, right = st.columns([4, 1], vertical_alignment="center")
            words = [markdown(s.title), phase_sentence(s)]
            if s.steps:
                words.append(f"step {s.step:,} of {s.steps:,}")
            if s.seconds_left is not None:
                words.append(f"{duration(s.seconds_left)} left")
            left.progress(share_done(s), text=" · ".join(w for w in words if w))
            action = "cancel" if s.state == "queued" else "stop"
            right.button(
                "Cancel" if action == "cancel" else "Stop and keep",
                key=f"compare.{action}.{s.run}",
                disabled=action not in s.actions,
                on_click=_act,
                args=(s.run, action),
            )


def _act(run: str, action: str) -> None:
    try:
        manager().act(run, action)
    except UserError as error:  # the run has changed since the page was drawn
        st.toast(markdown(str(error)), icon=":material/info:")
