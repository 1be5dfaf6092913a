"""The parts of the Start page: the demo button, the recent runs, the machine."""

import time
import uuid

import streamlit as st

from ueo_core.config.presets import DEFAULT_PRESET, preset
from ueo_core.drawings.parallel import drawn_files
from ueo_core.drawings.sample import problem
from ueo_core.runs.notices import Notice, damaged_runs, notices
from ueo_core.utils.background_jobs import Job
from ueo_core.workspace.dataset import Dataset, list_datasets, sample_dataset
from ueo_core.workspace.start_run import start_run
from ui.common import shell
from ui.common.arrivals import Arrivals
from ui.common.text import markdown

BACKBONE = "drawings-resnet"
SHOWN = 5  # recent runs
_AHEAD = "sample-ahead"  # the job that draws the sample before it is asked for


def open_active_run() -> None:
    """Open the one run that is in progress, once per session; nothing if there are more or none."""
    if st.session_state.get("ueo.opened"):
        return
    st.session_state["ueo.opened"] = True
    under_way = [n for n in notices(shell.manager()) if n.under_way]
    if len(under_way) == 1:
        shell.go_to_run(under_way[0].run)


def demo() -> None:
    """The demo button, which leads to Live at once."""
    request = st.session_state.setdefault("ueo.watch", uuid.uuid4().hex)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        clicked = st.button(
            "Watch it work now",
            type="primary",
            icon=":material/play_arrow:",
            on_click=_begin,
            args=(request,),
            key="watch",
        )
        st.page_link(
            "pages/0_Photos.py", label="Use your own photos", icon=":material/photo_library:"
        )
    st.caption(
        "Adapts a small model to drawings made on this machine. Takes about a minute; nothing is "
        "downloaded or uploaded."
    )
    if any(n.under_way for n in notices(shell.manager())):
        st.caption("A run is in progress; a new one is queued after it.")
    if clicked:
        st.session_state["ueo.watch"] = uuid.uuid4().hex  # the next click makes another run
        st.switch_page("pages/3_Live.py", query_params={"watch": request})


def _begin(request: str) -> None:
    """Draw the sample and queue its run, once for any number of clicks."""
    manager = shell.manager()

    def work(job: Job) -> str:
        dataset = _drawn(job)
        return start_run(manager, dataset, preset(DEFAULT_PRESET, BACKBONE), request=request)

    shell.jobs().start(f"watch-{request}", "Drawing the sample", work)


def _drawn(job: Job) -> Dataset:
    """The sample; where it is being drawn ahead, what that job shows is shown by this one."""
    ahead = shell.jobs().get(_AHEAD)
    while ahead and ahead.running:
        job.progress(ahead.done, ahead.total)
        job.shown = ahead.shown
        time.sleep(0.1)
    shell.jobs().forget(_AHEAD)
    return sample_dataset(
        progress=job.progress, on_image=Arrivals(job), files=ahead.result if ahead else None
    )


def _draw_ahead() -> None:
    """Draw the sample while Start is being read, where nothing was done here before.

    Its 30 MB wait in memory: a person who brings photos finds no dataset that was not asked for.
    """
    if shell.manager().ids() or list_datasets():
        return
    shell.jobs().start(_AHEAD, "Drawing the sample", _draw)


def _draw(job: Job) -> list[tuple[str, str, bytes]]:
    chosen, arrived, files = problem(), Arrivals(job), []
    for file in drawn_files(chosen):
        files.append(file)
        arrived(file[2])
        job.progress(len(files), len(chosen))
    return files


def recent_runs() -> None:
    """Active runs and those not viewed yet first; then the rest, newest first."""
    runs, damaged = notices(shell.manager()), damaged_runs(shell.manager())
    if not runs and not damaged:
        return
    st.header("Your runs", divider="gray")
    shell.damaged(damaged)
    order = sorted(runs, key=lambda n: (not n.under_way, n.seen))
    for notice in order[:SHOWN]:
        name, state, go = st.columns([5, 3, 2], vertical_alignment="center")
        name.text(notice.title)
        state.markdown(_state(notice))
        page = "pages/4_Inspect.py" if notice.state == "finished" else "pages/3_Live.py"
        label = {"finished": "Inspect", "paused": "Continue", "failed": "Show error"}
        go.page_link(
            page,
            label=label.get(notice.state, "Watch"),
            icon=":material/arrow_forward:",
            query_params={"run": notice.run},
        )
    if len(runs) > SHOWN:
        st.caption(f"{SHOWN} of {len(runs)} runs are shown.")


def _state(notice: Notice) -> str:
    color = {"finished": "green", "failed": "red", "paused": "orange"}.get(notice.state, "blue")
    steps = f" · step {notice.step} of {notice.steps}" if notice.steps else ""
    new = "" if notice.seen or notice.under_way else " · **new**"
    return f":{color}-badge[{notice.state}]{steps}{new}"


def this_machine() -> None:
    """The hardware and the models; found after the page has painted, since torch loads for seconds."""
    st.header("This machine", divider="gray")
    job = shell.jobs().get("machine")
    busy = job is None or job.running
    st.fragment(_machine, run_every=1.0 if busy else None, key="ueo.machine")()


def _machine() -> None:
    from ueo_core.models import hardware

    job = shell.jobs().get("machine")
    if job is None:
        # The first pass paints; the next one, a second later, starts the imports.
        if st.session_state.get("ueo.painted"):
            _draw_ahead()
            shell.jobs().start("machine", "This machine", lambda job: hardware.this_machine())
        st.session_state["ueo.painted"] = True
        st.session_state["ueo.machine_shown"] = False
    if job is None or job.running:
        st.caption("Checking the hardware and the models …")
        return
    if not st.session_state.get("ueo.machine_shown"):
        st.session_state["ueo.machine_shown"] = True
        st.rerun()  # once, to stop the fragment's clock
    if job.error:
        st.warning(markdown(job.error))
        return
    machine = job.result
    device = {"cuda": f"GPU: {machine.name}", "mps": "Apple GPU", "cpu": "CPU"}[machine.device]
    memory = f", {machine.memory_gb:.0f} GB" if machine.memory_gb else ""
    st.markdown(
        f"**{device}**{memory} · {machine.cores} CPU core{'s' * (machine.cores != 1)} · everything stays "
        "on this machine"
    )
    real = [b for b in machine.here if b["pretrained"] != "assets"]
    teaching = [b["name"] for b in machine.here if b["pretrained"] == "assets"]
    models = f"Teaching models: {', '.join(teaching) or 'none'}. "
    if real:
        names = ", ".join(f"{b['name']} ({b['pretrained']})" for b in real)
        models += f"CLIP models on this machine: {names}."
    else:
        models += "No full-size CLIP model is on this machine yet; Adapt downloads one when you select it."
    st.markdown(models)
