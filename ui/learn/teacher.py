"""The notes for the teacher: on the page, and as a sheet to print."""

import streamlit as st

from ueo_core.learn.lessons import BEFORE, DISCUSSION, TOTAL
from ueo_core.utils.errors import UserError
from ui.common.shell import problem
from ui.common.text import markdown
from ui.learn import demo_cache


@st.dialog("For the teacher", width="large")
def show() -> None:
    """The notes on all scenes, with the numbers of the scenes as they start."""
    try:
        demo = demo_cache.all_computed()
    except UserError as error:
        problem(error)
        return
    from ueo_core.learn import sheet

    st.markdown(f"**{TOTAL} minutes**, {DISCUSSION} of them for questions at the end.")
    st.markdown("\n".join(f"- {markdown(line)}" for line in BEFORE))
    st.download_button(
        "Sheet to print",
        sheet.html(demo),
        "teacher.html",
        "text/html",
        icon=":material/print:",
        key="learn.sheet",
        on_click="ignore",
        help="One HTML file for A4 paper: open it in a browser and print it.",
    )
    for note in sheet.notes(demo):
        wrong = "\n".join(f"- “{markdown(a)}” {markdown(reply)}" for a, reply in note.wrong)
        st.markdown(
            f"### {note.number} · {markdown(note.title)} ({note.minutes} minutes)\n"
            f"**Ask.** {markdown(note.ask)}\n\n"
            f"**Expect.** {markdown(' '.join(note.expect))}\n\n"
            f"**Common wrong answers.**\n{wrong}"
        )
