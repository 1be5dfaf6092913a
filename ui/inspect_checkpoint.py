"""Inspect: which model stands on the "after" side, the final one or a checkpoint on the way."""

import streamlit as st

import ueo_core as core
from ui import shell
from ui.working import working


def choose(run: str) -> int | None:
    """The slider over all checkpoints. → the step to show, or None while it has to be scored"""
    folder = shell.manager().folder(run)
    steps = core.checkpoint_steps(folder)
    final, missing = steps[-1], core.unscored_steps(folder)
    names = {0: "0: zero-shot", final: f"{final}: final"}
    step = st.select_slider(
        "“After” is the model after step", steps, value=final, key=f"inspect.{run}.step",
        format_func=lambda s: names.get(s, str(s)),
        help="“Before” is always the zero-shot model. What a run offers is its final model: choosing "
        "the best of the checkpoints by these labels would flatter it.",
    )  # fmt: skip
    key = f"inspect-score-{run}"
    if working(key, "images"):
        return None
    if step not in missing:
        return step
    n = sum(folder.config[p]["n"] for p in ("pool", "holdout") if folder.config[p])
    with st.container(border=True):
        st.markdown(
            f"**The model after step {step} has not scored the images yet.** That is one pass of the "
            f"{n:,} images through it, once: the result stays in the run's folder."
        )
        with st.container(horizontal=True):
            st.button(
                "Score this checkpoint", type="primary", icon=":material/speed:",
                on_click=_score, args=(run, key, [step]),
            )  # fmt: skip
            if len(missing) > 1:
                st.button(
                    f"Score all {len(missing)} that are missing", icon=":material/speed:",
                    on_click=_score, args=(run, key, missing),
                )  # fmt: skip
            st.button(
                "Back to the final model", icon=":material/last_page:",
                on_click=_final, args=(run, final),
            )  # fmt: skip
    return None


def _score(run: str, key: str, steps: list[int]) -> None:
    folder = shell.manager().folder(run)
    shell.jobs().start(
        key, f"Scoring {len(steps)} checkpoint{'s' * (len(steps) > 1)}",
        lambda job: core.score_checkpoints(folder, steps, job.progress, job.check), again=True,
    )  # fmt: skip


def _final(run: str, final: int) -> None:
    st.session_state[f"inspect.{run}.step"] = final
