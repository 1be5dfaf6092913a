"""Use: negative words, for what else is among the images; they make NegLabel of the score."""

from dataclasses import replace

import streamlit as st

from ueo_core.inference.adapter_file import AdapterFile
from ueo_core.inference.predictions import Predictions
from ueo_core.utils.background_jobs import Job
from ueo_core.workspace.prediction_history import ClassifiedSet
from ui.common.job_progress import show_job, start_job
from ui.common.text import markdown

JOB = "use.negatives"
SCORED = (
    "use.negatives.scored"  # in the session: which model and images, the words, the predictions
)


def applied(adapter_file: AdapterFile, what: ClassifiedSet, predicted: Predictions) -> Predictions:
    """Draw the box for the words. → the predictions, scored with the words where there are some"""
    place = (adapter_file.digest, what.id)
    running = show_job(JOB, "images", lambda found: st.session_state.update({SCORED: found}))
    scored = st.session_state.get(SCORED)
    words, with_words = scored[1:] if scored and scored[0] == place else ([], None)
    title = f"Negative words: {len(words)}" if words else "Negative words"
    with st.expander(title, icon=":material/block:", key="use.negatives.box"):
        st.markdown(
            "Words for what else is among the images, such as `screenshot, document`. An image nearer to "
            "them than to the classes gets a low score. They are never classes."
        )
        with st.form("use.negatives.form", border=False):
            given = st.text_input(
                "Words, separated by commas",
                placeholder="screenshot, document",
                key="use.negatives.words",
                help="The score is then NegLabel in place of MCM. `common-nouns` stands for the words of "
                "the studio's list that are far from the classes.",
            )
            with st.container(horizontal=True):
                use = st.form_submit_button("Score with them", disabled=running)
                drop = st.form_submit_button("Score without", disabled=running or not words)
        if words:
            st.caption(markdown(", ".join(words)))
    if use and given.strip():
        start_job(
            JOB, "Scoring", lambda job: _scored(job, adapter_file, what, predicted, given, place)
        )
        st.rerun()
    if drop:
        del st.session_state[SCORED]
        st.rerun()
    return with_words or predicted


def _scored(
    job: Job,
    adapter_file: AdapterFile,
    what: ClassifiedSet,
    predicted: Predictions,
    given: str,
    place: tuple[str, str],
) -> tuple[tuple[str, str], list[str], Predictions]:
    # torch takes seconds to import, and the page must paint before.
    from ueo_core.inference.negatives import cosines_with, negative_words
    from ueo_core.inference.predict import load_model
    from ueo_core.utils.memory import reuse_freed_memory

    model = load_model(adapter_file)
    words = negative_words(model, given)
    images = what.images()
    job.begin(f"Scoring {len(images):,} images", len(images))

    def on_batch(done: int) -> None:
        job.advance(done, len(images))

    with reuse_freed_memory(model.device):
        _, other = cosines_with(model, images, words, on_batch)
    return place, words, replace(predicted, negatives=other)
