"""The Compare page: several runs side by side, from the table to single images."""

from functools import lru_cache

import streamlit as st

from ueo_core.analysis.compare import ComparedRun, cautions, open_compared_run, parts_of
from ueo_core.analysis.run_picker import catalog
from ueo_core.evaluation.metrics import OOD
from ueo_core.evaluation.ood_scores import DEFAULT_SCORE, SCORES
from ueo_core.runs.folder import RunFolder
from ueo_core.utils.errors import UserError
from ui.common import thumbs
from ui.common.job_progress import DelayedProgress
from ui.common.shell import manager
from ui.common.text import markdown
from ui.compare import choice, curves, images, protocol, table
from ui.inspect.page import SETS, STYLE
from ui.live.page import no_run

VIEWS = {"runs": "Runs", "protocol": "Protocol: methods on labeled images"}
NARROW = """<style>
.ueo-table th:first-child { min-width: 9.5rem; }
.ueo-table small { opacity: 0.75; white-space: nowrap; }
@media (max-width: 1200px) {
  .ueo-table th:first-child { min-width: 8rem; }
  .ueo-table th, .ueo-table td { padding: 0.35rem 0.25rem; font-size: 0.84rem; }
}
</style>"""


def show() -> None:
    """Draw the page; `?view=` holds the chosen view."""
    st.html(thumbs.STYLE + STYLE + NARROW)
    st.title("Compare")
    wanted = st.query_params.get("view")
    st.session_state["compare.view"] = wanted if wanted in VIEWS else "runs"
    view = st.segmented_control(
        "What to compare",
        list(VIEWS),
        format_func=VIEWS.get,
        key="compare.view",
        required=True,
        label_visibility="collapsed",
        on_change=lambda: st.query_params.update(view=st.session_state["compare.view"]),
    )
    if view == "protocol":
        protocol.show()
    else:
        _runs()


def _runs() -> None:
    entries = catalog(manager())
    if not entries and manager().ids():
        st.info("No run is finished or in progress.", icon=":material/info:")
        return
    if not entries:
        no_run()
        return
    chosen = choice.choose(entries)
    choice.baselines(entries, chosen)
    choice.in_progress([e for e in entries if e.run in chosen and e.under_way])
    finished = [e.run for e in entries if e.run in chosen and e.finished]
    if not finished:
        if not any(e.under_way for e in entries if e.run in chosen):
            st.info("Choose the runs to compare above.", icon=":material/info:")
        return
    _compare([run for run in chosen if run in finished])


def _compare(runs: list[str]) -> None:
    opened = _opened(runs)
    if not opened:
        return
    for sentence in cautions(opened):
        st.warning(markdown(sentence), icon=":material/warning:")
    table.show(opened)
    curves.show(opened)
    images.show(opened)


def _opened(runs: list[str]) -> tuple[ComparedRun, ...]:
    """The runs on the chosen images with the chosen score; a warning for each that cannot be read."""
    folders = [manager().folder(run) for run in runs]
    parts, scores = parts_of(folders), SCORES
    with st.container(horizontal=True, vertical_alignment="bottom"):
        part = parts[0]
        if len(parts) > 1:
            part = st.segmented_control(
                "Images",
                parts,
                format_func=SETS.get,
                default=parts[0],
                required=True,
                key=f"compare.set.{parts[0]}",
            )
        score = st.selectbox(
            "Known/unknown score",
            list(scores),
            index=list(scores).index(DEFAULT_SCORE),
            key="compare.score",
            width=260,
            format_func=lambda k: scores[k].title,
        )
        about = st.container(width="stretch")
    found, progress = [], DelayedProgress("Reading the runs")
    for done, folder in enumerate(folders):
        progress(done, len(folders))
        try:
            found.append(_compared_run(str(folder.path), _stamp(folder), part, score))
        except UserError as error:
            st.warning(markdown(str(error)), icon=":material/warning:")
    progress.clear()
    if found:
        first = found[0]
        text = f"{scores[score].title}: {scores[score].temperature(first.logit_scale)}"
        if len({c.images for c in found}) == 1:
            n_known, n_unknown = (first.truth >= 0).sum(), (first.truth == OOD).sum()
            text += f" · {len(first.truth):,} images"
            if first.labeled:
                text += (
                    f", {n_known:,} known (of {len(first.classes)} classes), {n_unknown:,} unknown"
                )
        about.caption(text)
    return tuple(found)


def _stamp(folder: RunFolder) -> int:
    """Changes whenever the run writes a result."""
    result = folder.path / "result.json"
    return result.stat().st_mtime_ns if result.is_file() else 0


@lru_cache(maxsize=64)  # a run on 10,000 images takes half a megabyte
def _compared_run(path: str, stamp: int, part: str, score: str) -> ComparedRun:
    return open_compared_run(RunFolder(path), part, score)
