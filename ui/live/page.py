"""The Live page: a fragment that reads a run's snapshot about once a second, in any state."""

import streamlit as st

from ueo_core.analysis.live_metrics import phase_sentence, share_done
from ueo_core.evaluation.guard_rule import signs
from ueo_core.evaluation.ood_scores import DEFAULT_SCORE
from ueo_core.runs.notices import mark_seen
from ueo_core.runs.snapshot import Snapshot
from ueo_core.utils.durations import clock
from ueo_core.utils.errors import UserError
from ui.common import demo_run, thumbs
from ui.common.heading import run_heading
from ui.common.shell import dark, manager, viewer
from ui.common.text import markdown
from ui.common.verdict import inspection, judged, show_guard, show_verdict
from ui.live import controls, panels, rate_search, view_options

TICK, WATCH = 1.0, 2.0  # seconds
# If a step takes longer, reading every second would show nothing new and slow the training.
SLOW = 3.0
AT_ONCE = 8  # viewers that may read every second; a tick takes about 30 ms from the training
ACTIVE = ("queued", "running", "stopping", "paused")  # paused: another viewer may resume it
STARTED = ("running", "paused", "stopping")  # states with a time left
BADGES = {  # state → title, icon, color
    "queued": ("Queued", ":material/hourglass_empty:", "gray"),
    "running": ("Running", ":material/play_circle:", "blue"),
    "paused": ("Paused", ":material/pause_circle:", "orange"),
    "stopping": ("Stopping", ":material/stop_circle:", "orange"),
    "finished": ("Finished", ":material/check_circle:", "green"),
    "failed": ("Failed", ":material/error:", "red"),
}


def chosen_run(wanted: str | None) -> str | None:
    """The run to show: the one in the URL; for `latest` or none the active run, else the newest."""
    if wanted and wanted != "latest":
        return wanted
    runs = manager()
    return runs.active() or next(iter(runs.ids()), None)


def no_run() -> None:
    """What pages show while there is no run."""
    st.info(
        "There is no run yet. Watch one on drawings made on this machine, or add your own on the Photos page.",
        icon=":material/info:",
    )
    demo_run.button()


def show(run: str) -> None:
    """Draw a run and keep it up to date. UserError if there is no such run."""
    role = manager().viewers.watch(viewer())
    every = pace(manager().snapshot(run), role.others + 1)
    view = view_options.current()
    st.html(thumbs.STYLE + (panels.PRESENT if view.present else ""))
    st.fragment(_watch, run_every=WATCH, key="live-watch")(run, every, role.steers)
    st.fragment(_tick, run_every=every, key="live")(run, every)


def pace(now: Snapshot, viewers: int = 1) -> float | None:
    """Seconds between two readings of a run; None for one that has ended. More viewers read less often."""
    if now.state not in ACTIVE:
        return None
    return max(SLOW if now.seconds > SLOW * now.step > 0 else TICK, TICK * -(-viewers // AT_ONCE))


def _watch(run: str, every: float | None, in_control: bool) -> None:
    """Keep this viewer's role alive; rerun the page when the pace, the run or the role has changed."""
    role = manager().viewers.watch(viewer())
    paced = pace(manager().snapshot(run), role.others + 1) != every
    newer = st.query_params.get("run") == "latest" and chosen_run("latest") != run
    if paced or newer or role.steers != in_control:
        st.rerun()
    controls.viewers(role)


def _tick(run: str, every: float | None) -> None:
    now = manager().snapshot(run)
    role = manager().viewers.watch(viewer())
    if pace(now, role.others + 1) != every or st.session_state.pop("live.whole", False):
        st.rerun()  # once: the page registers this fragment again, with or without a timer
    facts = panels.facts(str(manager().folder(run).path))
    view = view_options.current()
    in_control = role.steers
    _header(now, view)
    with st.container():
        _message(now, facts)
    controls.controls(now, in_control)
    _progress(now, view)
    with st.container():
        if not view.present or now.phase == "choosing":
            rate_search.draw(now)
    panels.draw(now, facts, view, "dark" if dark() else "light")
    with st.container():
        for sign in signs(now.evaluations) if now.state in ("running", "paused") else ():
            st.caption(f":material/gpp_maybe: {sign.sentence}")
        for note in now.notes[-5:]:
            st.caption(f":material/info: {markdown(note)}")
    with st.container():
        controls.queue(in_control)
    if every is None:
        mark_seen(manager().folder(run))


def _header(now: Snapshot, view: view_options.View) -> None:
    title, icon, color = BADGES[now.state]
    with st.container(horizontal=True, vertical_alignment="center"):
        run_heading(now.title)
        st.badge(title, icon=icon, color=color)
        st.space("stretch")
        with st.container(horizontal=True, width="content"):  # a narrow page wraps both or neither
            view_options.choices(view, now)
            view_options.present_button(view)


def _message(now: Snapshot, facts: panels.Facts) -> None:
    """The state in a sentence, and what to do next."""
    if now.state == "failed":
        st.error(markdown(now.reason), icon=":material/error:")
        st.page_link("pages/2_Adapt.py", label="Change the settings", icon=":material/tune:")
    elif now.state == "queued":
        ahead = manager().queue().index(now.run) if now.run in manager().queue() else 0
        waited_for = {manager().active(), manager().held()} - {None, now.run}
        busy = ahead + len(waited_for)
        st.info(
            f"{busy} run{'s' * (busy != 1)} ahead in the queue." if busy else "Starts in a moment.",
            icon=":material/hourglass_empty:",
        )
    elif now.state == "paused":
        st.warning(markdown(now.reason or "Paused."), icon=":material/pause_circle:")
    elif now.state == "finished":
        if now.reason:
            st.caption(f":material/info: {markdown(now.reason)}")
        try:
            opened = inspection(now.run)
        except UserError as error:  # the curves can be shown without the result
            st.warning(markdown(str(error)), icon=":material/warning:")
            return
        show_verdict(judged(opened, opened.default, DEFAULT_SCORE))
        show_guard(opened)
        st.page_link(
            "pages/4_Inspect.py",
            label="**Inspect what changed**",
            icon=":material/search:",
            query_params={"run": now.run},
        )


def _progress(now: Snapshot, view: view_options.View) -> None:
    words = [phase_sentence(now)] if now.state in ("running", "stopping", "queued") else []
    if now.steps:
        words.append(f"step {now.step:,} of {now.steps:,}, epoch {now.epoch:,}")
    st.progress(share_done(now), text=" · ".join(words) or "Not started yet")
    if view.present:  # an audience needs only the bar
        return
    speed, left, memory = now.images_per_second, now.seconds_left, now.peak_memory_mb
    with st.container(horizontal=True, key="live-figures"):
        st.metric("Images per second", f"{speed:,.0f}" if speed else "–")
        if now.state in STARTED:
            st.metric("Time left", clock(left))
        st.metric("Training time", clock(now.seconds) if now.seconds else "–")
        st.metric("Images in the pool", f"{now.images:,}")
        st.metric("Peak memory (app)", f"{memory:,.0f} MB" if memory else "–")
