"""Inspect: which model is "after", the final one or an earlier checkpoint."""

import streamlit as st

from ui.common import shell
from ui.common.job_progress import show_job, start_job


def slider(run: str) -> int:
    """The slider over all checkpoints. → the step chosen, scored or not"""
    from ueo_core.analysis.checkpoints import checkpoint_steps

    steps = checkpoint_steps(shell.manager().folder(run))
    if len(steps) == 1:  # stopped before the first step
        return steps[0]
    names = {0: "after: step 0, zero-shot", steps[-1]: f"after: step {steps[-1]}, final"}
    return st.select_slider(
        "Model shown as “after”, by step",
        steps,
        value=steps[-1],
        key=f"inspect.{run}.step",
        format_func=lambda s: names.get(s, f"after: step {s}"),
        width=230,
        label_visibility="collapsed",
    )


def scored(run: str, step: int) -> bool:
    """Whether the step has been scored; if not, draw the buttons that score it."""
    from ueo_core.analysis.checkpoints import checkpoint_steps, unscored_steps

    folder = shell.manager().folder(run)
    key = f"inspect-score-{run}"
    if show_job(key, "images"):
        return False
    missing = unscored_steps(folder)
    if step not in missing:
        return True
    n = sum(folder.config[p]["n"] for p in ("pool", "holdout") if folder.config[p])
    with st.container(border=True):
        st.markdown(
            f"**The model after step {step} has not been scored yet.** Scoring is one pass over "
            f"{n:,} images; the result is kept in the run's folder."
        )
        with st.container(horizontal=True):
            st.button(
                "Score this checkpoint",
                type="primary",
                icon=":material/speed:",
                on_click=_score,
                args=(run, key, [step]),
            )
            if len(missing) > 1:
                st.button(
                    f"Score all {len(missing)} missing checkpoints",
                    icon=":material/speed:",
                    on_click=_score,
                    args=(run, key, missing),
                )
            st.button(
                "Show the final model",
                icon=":material/last_page:",
                on_click=_final,
                args=(run, checkpoint_steps(folder)[-1]),
            )
    return False


def _score(run: str, key: str, steps: list[int]) -> None:
    from ueo_core.analysis.checkpoints import score_checkpoints

    folder = shell.manager().folder(run)
    start_job(
        key,
        f"Scoring {len(steps)} checkpoint{'s' * (len(steps) > 1)}",
        lambda job: score_checkpoints(folder, steps, job.progress, job.check),
    )


def _final(run: str, final: int) -> None:
    st.session_state[f"inspect.{run}.step"] = final
