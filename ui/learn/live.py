"""The live run of the story in step mode, and its newest adapter for other scenes."""

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from ueo_core.analysis.histograms import Densities
from ueo_core.analysis.live_metrics import phase_sentence, score_densities
from ueo_core.drawings import sample
from ueo_core.learn.link import Link
from ueo_core.learn.scenes import SCENES
from ueo_core.runs.downsample import decimated
from ueo_core.runs.snapshot import Snapshot
from ueo_core.utils.background_jobs import Job
from ueo_core.utils.errors import UserError
from ui.common import charts, shell, thumbs
from ui.common.job_progress import progress_bar
from ui.learn import demo_cache, navigation, state
from ui.live import panels

if TYPE_CHECKING:  # it loads slowly
    from torch import Tensor

TICK = 1.0  # seconds
ACTIVE = ("queued", "running", "stopping")
BUTTONS = {  # action → label, icon, key, steps
    "step": ("Step", ":material/skip_next:", "S", 1),
    "epoch": ("Six steps", ":material/fast_forward:", "E", 6),
    "resume": ("Resume", ":material/play_arrow:", "G", 0),
    "pause": ("Pause", ":material/pause:", "P", 0),
    "stop": ("Stop and keep", ":material/stop:", None, 0),
}


def newest_run() -> str | None:
    """The newest run that this page started, in any browser; None without one."""
    from ueo_core.learn.live import newest

    return newest(shell.manager())


def latest_adapter() -> "tuple[int, dict[str, Tensor]] | None":
    """Step and adapter of the newest run's last checkpoint, or None."""
    from ueo_core.learn.live import latest_adapter as read

    run = newest_run()
    return read(shell.manager().folder(run).path) if run else None


def tick(link: Link) -> float | None:
    """Seconds after which this view is drawn again: TICK while it shows a run that is active."""
    if (link.view, SCENES[link.scene].picture) != ("story", "live"):
        return None
    job, run = _job(), newest_run()
    active = bool(job and job.running) or (
        run is not None and shell.manager().snapshot(run).state in ACTIVE
    )
    return TICK if active else None


def link_to_live_run(link: Link, what: str) -> None:
    """A sentence and a button, where the live run is needed. what: the start of the sentence"""
    st.caption(f"{what} after the first step of the live run.")
    if state.is_shown(link, "to-live"):
        st.button("Go to the live run", on_click=navigation.go, args=("live",), key="learn.to_live")


def _job() -> Job | None:
    return shell.jobs().get(f"learn-{st.session_state.get('learn.request', '')}")


def draw(link: Link, write_text: Callable[..., None]) -> None:
    """The run, its buttons, its two charts and its batch.

    write_text: is called with the numbers of the sentences and the outcome
    """
    problem = sample.problem()
    job, run = _job(), newest_run()
    now = shell.manager().snapshot(run) if run else None
    write_text({"classes": len(problem.classes), "pool": len(problem.pool)}, _outcome(now))
    st.html(thumbs.STYLE)
    busy = bool(job and job.running)
    if job and job.error:
        shell.problem(job.error)
    if state.is_shown(link, "live"):
        _buttons(now, busy)
    _status(now, job)
    size = round((15 if link.present else 14) * link.scale)  # presented: legible from the back
    grid = st.grid(3, min_column_width=260, gap="medium", key="learn-live-grid")
    with grid.cell():
        _loss(now, size)
    with grid.cell():
        _scores(now, size)
    with grid.cell():
        if now is not None:
            facts = panels.facts(str(shell.manager().folder(now.run).path))
            panels.last_batch(now, facts)


def _outcome(now: Snapshot | None) -> str | None:
    """What has happened to the AUC when the run has ended; None before."""
    if now is None or now.state != "finished" or len(now.evaluations) < 2:
        return None
    first, last = now.evaluations[0], now.evaluations[-1]
    if last.get("auc") is None:
        return None
    from ueo_core.learn.happened import of_run

    return of_run(first, last)


def _buttons(now: Snapshot | None, busy: bool) -> None:
    with st.container(horizontal=True):
        fresh = now is None or now.state in ("finished", "failed")
        st.button(
            "Start" if now is None else "Start again",
            icon=":material/play_circle:",
            type="primary" if fresh else "secondary",
            shortcut="A",
            key="learn.live.start",
            disabled=busy or (now is not None and now.state in ACTIVE),
            on_click=_start,
        )
        can = now.actions if now else ()
        for name, (label, icon, shortcut, steps) in BUTTONS.items():
            action = "step" if name == "epoch" else name
            st.button(
                label,
                icon=icon,
                shortcut=shortcut,
                key=f"learn.live.{name}",
                disabled=busy or action not in can,
                on_click=_act,
                args=(action, steps),
            )


def _start() -> None:
    """Draw the images and take the first step; several clicks start one run."""
    manager = shell.manager()
    request = st.session_state["learn.request"] = uuid.uuid4().hex

    def work(job: Job) -> str:
        from ueo_core.learn.live import start_run

        return start_run(manager, demo_cache.BACKBONE, request, job.progress)

    shell.jobs().start(f"learn-{request}", "Drawing the sample", work)


def _act(action: str, steps: int) -> None:
    try:
        shell.manager().act(newest_run(), action, max(1, steps))
    except UserError as error:
        # The run has changed its state since the button was drawn.
        st.toast(str(error))


def _status(now: Snapshot | None, job: Job | None) -> None:
    """The state of the run in one line, always in the same place."""
    if job and job.running:
        progress_bar(job, "images")
        return
    if now is None:
        st.progress(0.0, "No run has been started yet.")
        return
    doing = phase_sentence(now) if now.state in ACTIVE else f"Run {now.state}"
    text = f"{doing} · step {now.step} of {now.steps or '…'}"
    if now.evaluations and now.evaluations[-1].get("auc") is not None:
        first, last = now.evaluations[0], now.evaluations[-1]
        text += (
            f" · ACC {first['acc']:.0f} → {last['acc']:.0f} %, AUC {first['auc']:.0f} → {last['auc']:.0f} % "
            f"(step 0 → {last['step']})"
        )
    st.progress(now.step / now.steps if now.steps else 0.0, text)


def _loss(now: Snapshot | None, size: int) -> None:
    series = decimated(now.series) if now else []
    st.markdown("**Loss and its two terms**")
    spec = charts.loss_chart(series, now.steps if now else 1, size)
    for curve, name in zip(spec["series"], ("loss", "term one", "term two"), strict=True):
        curve["name"] = name  # Learn's words; shorter, so that the legend fits in one row
    st.echarts_chart(
        spec,
        key="learn.live.loss",
        height=330,
        alt=f"Loss and its two terms over {len(series)} steps.",
    )


def _zero_shot_scores() -> Densities | None:
    """The score distributions of the story, those of step 0; None before they are computed."""
    from ueo_core.learn.demo import zero_shot_densities

    demo = demo_cache.demo()
    return zero_shot_densities(demo) if demo.all_computed else None


def _scores(now: Snapshot | None, size: int) -> None:
    st.markdown("**Score distributions, now and at step 0**")
    found = score_densities(now) if now else _zero_shot_scores()
    st.echarts_chart(
        charts.hill_chart(found, size),
        key="learn.live.hills",
        height=330,
        alt="Densities of the score of known and unknown test images, at step 0 and now.",
    )
