"""The Start page's parts: the one big button, the runs to go back to, the machine."""

import uuid

import streamlit as st

from ueo_core.config.settings import Settings
from ueo_core.runs.notices import Notice, notices
from ueo_core.utils.background_jobs import Job
from ueo_core.workspace.dataset import sample_dataset
from ueo_core.workspace.start_run import start_run
from ui.common import shell
from ui.common.job_progress import show_job, start_job

BACKBONE = "drawings-resnet"
SHOWN = 5  # recent runs


def take_to_active_run() -> None:
    """A fresh session while exactly one run is under way is taken to it, once."""
    if st.session_state.get("ueo.been_here"):
        return
    st.session_state["ueo.been_here"] = True
    under_way = [n for n in notices(shell.manager()) if n.under_way]
    if len(under_way) == 1:
        shell.go_to_run(under_way[0].run)


def watch_it_work() -> None:
    """The button, then the progress of drawing the sample, then Live."""
    request = st.session_state.setdefault("ueo.watch", uuid.uuid4().hex)
    job = shell.jobs().get(f"watch-{request}")
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.button(
            "Watch it work now",
            type="primary",
            icon=":material/play_arrow:",
            on_click=_begin,
            args=(request,),
            disabled=job is not None and job.running,
            key="watch",
        )
        st.page_link("pages/1_Data.py", label="Use my own photos", icon=":material/photo_library:")
    st.caption(
        "Live, on drawings made on this machine: about a minute, nothing to download, nothing uploaded."
    )
    show_job(f"watch-{request}", "images", _watch)
    if any(n.under_way for n in notices(shell.manager())):
        st.caption("A run is under way; a new one waits in the queue until it is done.")


def _begin(request: str) -> None:
    """Draw the sample and queue its run, once for any number of clicks."""
    manager = shell.manager()

    def work(job: Job) -> str:
        dataset = sample_dataset(progress=job.progress)
        return start_run(manager, dataset, Settings.for_backbone(BACKBONE), request=request)

    start_job(f"watch-{request}", "Drawing the sample", work)


def _watch(run: str) -> None:
    """Go to the new run; the next click of the button makes another one."""
    st.session_state["ueo.watch"] = uuid.uuid4().hex
    shell.go_to_run(run)


def recent_runs() -> None:
    """What is under way, halted or not yet seen first; then the rest, the newest first."""
    runs = notices(shell.manager())
    if not runs:
        return
    st.header("Your runs", divider="gray")
    order = sorted(runs, key=lambda n: (not n.under_way, n.seen))
    for notice in order[:SHOWN]:
        name, state, go = st.columns([5, 3, 2], vertical_alignment="center")
        name.text(notice.title)
        state.markdown(_state(notice))
        page = "pages/4_Inspect.py" if notice.state == "finished" else "pages/3_Live.py"
        label = {"finished": "Inspect", "paused": "Continue", "failed": "See why"}
        go.page_link(
            page,
            label=label.get(notice.state, "Watch"),
            icon=":material/arrow_forward:",
            query_params={"run": notice.run},
        )
    if len(runs) > SHOWN:
        st.caption(f"The {SHOWN} most recent of {len(runs)} runs.")


def _state(notice: Notice) -> str:
    colour = {"finished": "green", "failed": "red", "paused": "orange"}.get(notice.state, "blue")
    steps = f" · step {notice.step} of {notice.steps}" if notice.steps else ""
    new = "" if notice.seen or notice.under_way else " · **new**"
    return f":{colour}-badge[{notice.state}]{steps}{new}"


def this_machine() -> None:
    """What can be done here; asked only after the page has painted, since torch takes seconds."""
    st.header("This machine", divider="gray")
    job = shell.jobs().get("machine")
    looking = job is None or job.running
    st.fragment(_machine, run_every=1.0 if looking else None, key="ueo.machine")()


def _machine() -> None:
    from ueo_core.models import hardware

    job = shell.jobs().get("machine")
    if job is None:
        # The first pass paints; the next one, a second later, starts the imports.
        if st.session_state.get("ueo.painted"):
            shell.jobs().start("machine", "This machine", lambda job: hardware.this_machine())
        st.session_state["ueo.painted"] = True
        st.session_state["ueo.machine_shown"] = False
    if job is None or job.running:
        st.caption("Looking at what this machine can do …")
        return
    if not st.session_state.get("ueo.machine_shown"):
        st.session_state["ueo.machine_shown"] = True
        st.rerun()  # once, to stop the ticking
    if job.error:
        st.warning(job.error)
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
        models += "No full-size CLIP is here yet; the Adapt page downloads one when you choose it."
    st.markdown(models)
