"""The Live page: one fragment that reads a run's snapshot every second, in any state."""

import streamlit as st

import ueo_core as core
from ui import live_panels as panels
from ui.plain import markdown
from ui.shell import dark, manager
from ui.verdict import inspection, judged, show_verdict

TICK = 1.0  # seconds
UNDER_WAY = ("queued", "running", "stopping", "paused")  # paused: another viewer may resume it
LOOKS = {  # state → title, icon, colour
    "queued": ("Waiting", ":material/hourglass_empty:", "gray"),
    "running": ("Running", ":material/play_circle:", "blue"),
    "paused": ("Paused", ":material/pause_circle:", "orange"),
    "stopping": ("Stopping", ":material/stop_circle:", "orange"),
    "finished": ("Finished", ":material/check_circle:", "green"),
    "failed": ("Failed", ":material/error:", "red"),
}
BUTTONS = {  # action → label, icon, key on the keyboard, what it does
    "pause": ("Pause", ":material/pause:", "P", "Halts after the step under way, with a checkpoint."),
    "step": ("Step", ":material/skip_next:", "S", "Takes so many steps and pauses again."),
    "resume": ("Resume", ":material/play_arrow:", "G", "Goes on from the last checkpoint."),
    "stop": ("Stop and keep", ":material/stop:", None, "Ends here and scores the result so far."),
    "extend": ("Train on", ":material/add:", None, "Further epochs, under a cosine of their own."),
    "cancel": ("Cancel", ":material/close:", None, "Takes it out of the queue; it can be queued again later."),
}  # fmt: skip


def chosen_run(wanted: str | None) -> str | None:
    """The run that a page shows: the one in the URL; for `latest` or none the active, else newest."""
    if wanted and wanted != "latest":
        return wanted
    runs = manager()
    return runs.active() or next(iter(runs.ids()), None)


def no_run() -> None:
    """What Live and Inspect say while there is nothing to show."""
    st.info("There is no run yet: start one and it appears here by itself.", icon=":material/info:")
    st.page_link("app.py", label="Watch it work now", icon=":material/play_circle:")


def presenting() -> bool:
    """Whether the address asks for the projector's view."""
    return st.query_params.get("present") == "1"


def show(run: str) -> None:
    """Draw a run and keep it up to date; UserError for an unknown one."""
    ticking = manager().snapshot(run).state in UNDER_WAY
    present = presenting()
    st.html(panels.STYLE + (panels.PRESENT if present else ""))
    st.fragment(_tick, run_every=TICK if ticking else None, key="live")(run, ticking, present)


def _tick(run: str, ticking: bool, present: bool) -> None:
    now = manager().snapshot(run)
    if (now.state in UNDER_WAY) != ticking or st.session_state.pop("live.whole", False):
        st.rerun()  # once: the page registers this fragment again, with or without its clock
    facts = panels.facts(str(manager().folder(run).path))
    _header(now, present)
    with st.container():
        _message(now, facts)
    _controls(now)
    _progress(now)
    if present:
        panels.presentation(now, facts)
    else:
        panels.all_panels(now, facts, "dark" if dark() else "light")
    with st.container():
        for note in now.notes[-5:]:
            st.caption(f":material/info: {markdown(note)}")
    if not ticking:
        core.mark_seen(manager().folder(run))


def _header(now: core.Snapshot, present: bool) -> None:
    title, icon, colour = LOOKS[now.state]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"## {markdown(now.title)}", width="content")
        st.badge(title, icon=icon, color=colour)
        st.space("stretch")
        st.button(
            "Leave presentation" if present else "Present",
            icon=":material/close_fullscreen:" if present else ":material/slideshow:",
            key="live.present",
            shortcut="F",
            help="Large type and three panels; the address keeps the view.",
            on_click=_present,
            args=(not present,),
        )


def _present(on: bool) -> None:
    if on:
        st.query_params["present"] = "1"
    else:
        st.query_params.pop("present", None)
    st.session_state["live.whole"] = True  # the frame of the page changes, not only the fragment


def _message(now: core.Snapshot, facts: panels.Facts) -> None:
    """The state in a sentence, with the way out."""
    if now.state == "failed":
        st.error(markdown(now.reason), icon=":material/error:")
        st.page_link("pages/2_Adapt.py", label="Change the settings", icon=":material/tune:")
    elif now.state == "queued":
        ahead = manager().queue().index(now.run) if now.run in manager().queue() else 0
        busy = ahead + (manager().active() not in (None, now.run))
        st.info(
            f"{busy} run{'s' * (busy != 1)} before it." if busy else "It begins in a moment.",
            icon=":material/hourglass_empty:",
        )
    elif now.state == "paused":
        st.warning(markdown(now.reason or "Paused."), icon=":material/pause_circle:")
    elif now.state == "finished":
        if now.reason:
            st.caption(f":material/info: {markdown(now.reason)}")
        opened = inspection(now.run)
        show_verdict(judged(opened, opened.default, core.DEFAULT_SCORE))
        st.page_link(
            "pages/4_Inspect.py",
            label="**Inspect what changed**",
            icon=":material/search:",
            query_params={"run": now.run},
        )


def _controls(now: core.Snapshot) -> None:
    """Every button in its fixed place; the state table says which of them can be pressed."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="live-controls"):
        for action, (label, icon, key, about) in BUTTONS.items():
            st.button(
                label,
                icon=icon,
                key=f"live.{action}",
                help=about,
                shortcut=key,
                disabled=action not in now.actions,
                type="primary" if action == "resume" and now.state == "paused" else "secondary",
                on_click=_act,
                args=(now.run, action),
            )
            if action == "step":
                st.number_input(
                    "steps at a time", 1, 1000, 1, key="live.steps", width=130,
                    disabled="step" not in now.actions,
                )  # fmt: skip


def _act(run: str, action: str) -> None:
    try:
        manager().act(run, action, amount=int(st.session_state.get("live.steps", 1)))
    except core.UserError as error:  # the run moved on between the drawing and the click
        st.toast(markdown(str(error)), icon=":material/info:")


def _progress(now: core.Snapshot) -> None:
    words = [core.phase_sentence(now)] if now.state in ("running", "stopping", "queued") else []
    if now.steps:
        words.append(f"step {now.step:,} of {now.steps:,}, epoch {now.epoch:,}")
    st.progress(core.share_done(now), text=" · ".join(words) or "Nothing is done yet")
    speed, left, memory = now.images_per_second, now.seconds_left, now.peak_memory_mb
    with st.container(horizontal=True, key="live-figures"):
        st.metric("Images per second", f"{speed:,.0f}" if speed else "–")
        st.metric("Time left", _clock(left) if now.state in ("running", "paused") else "–")
        st.metric("Time adapting", _clock(now.seconds) if now.seconds else "–")
        st.metric("Images in the pool", f"{now.images:,}")
        st.metric("Peak memory of the app", f"{memory:,.0f} MB" if memory else "–")


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
