"""The parts of the Start page: the demo button, the recent runs, the machine."""

import streamlit as st

from ueo_core.runs.notices import Notice, damaged_runs, notices
from ui.common import demo_run, shell
from ui.common.text import markdown

SHOWN = 5  # recent runs


def open_active_run() -> None:
    """Open the one run that is in progress, once per session; nothing if there are more or none."""
    if st.session_state.get("ueo.opened"):
        return
    st.session_state["ueo.opened"] = True
    under_way = [n for n in notices(shell.manager()) if n.under_way]
    if len(under_way) == 1:
        shell.go_to_run(under_way[0].run)


def demo() -> None:
    """The demo button, which leads to Live at once, and the way to one's own photos."""
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        demo_run.button()
        st.page_link(
            "pages/0_Photos.py", label="Use your own photos", icon=":material/photo_library:"
        )
    st.caption(
        "Adapts a small model to drawings made on this machine. Takes about a minute; nothing is "
        "downloaded or uploaded."
    )
    if any(n.under_way for n in notices(shell.manager())):
        st.caption("A run is in progress; a new one is queued after it.")


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
            demo_run.draw_ahead()
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
