"""The Compare page: chosen runs side by side, from the table down to single images."""

from functools import lru_cache

import streamlit as st

import ueo_core as core
from ui import compare_choice, compare_curves, compare_images, compare_table, protocol, thumbs
from ui.inspect import SETS, STYLE
from ui.live import no_run
from ui.patience import Patience
from ui.plain import markdown
from ui.shell import manager

VIEWS = {"runs": "My runs", "protocol": "Protocol: methods on labelled images"}
NARROW = """<style>
.ueo-table th:first-child { min-width: 9.5rem; }
.ueo-table small { opacity: 0.75; white-space: nowrap; }
@media (max-width: 1200px) {
  .ueo-table th:first-child { min-width: 8rem; }
  .ueo-table th, .ueo-table td { padding: 0.35rem 0.25rem; font-size: 0.84rem; }
}
</style>"""


def show() -> None:
    """Draw the page in whatever state it is; `?view=` keeps which half."""
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
    entries = core.catalogue(manager())
    if not entries:
        no_run()
        return
    chosen = compare_choice.choose(entries)
    compare_choice.rivals(entries, chosen)
    compare_choice.under_way([e for e in entries if e.run in chosen and e.under_way])
    finished = [e.run for e in entries if e.run in chosen and e.finished]
    if not finished:
        if not any(e.under_way for e in entries if e.run in chosen):
            st.info("Choose the runs to compare above.", icon=":material/info:")
        return
    _compare([run for run in chosen if run in finished])


def _compare(runs: list[str]) -> None:
    opened, part, score = _opened(runs)
    if not opened:
        return
    for sentence in core.cautions(opened):
        st.warning(markdown(sentence), icon=":material/warning:")
    compare_table.show(opened, part, score)
    compare_curves.show(opened)
    compare_images.show(opened)


def _opened(runs: list[str]) -> tuple[tuple[core.Contender, ...], str, str]:
    """The runs on the chosen images by the chosen score; those that cannot be opened are said."""
    folders = [manager().folder(run) for run in runs]
    parts, scores = core.parts_of(folders), core.SCORES
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
            "Score of how known an image is",
            list(scores),
            index=list(scores).index(core.DEFAULT_SCORE),
            key="compare.score",
            width=260,
            format_func=lambda k: scores[k].title,
        )
        about = st.container(width="stretch")
    found, patience = [], Patience("Reading the runs")
    for done, folder in enumerate(folders):
        patience(done, len(folders))
        try:
            found.append(_contender(str(folder.path), _stamp(folder), part, score))
        except core.UserError as error:
            st.warning(markdown(str(error)), icon=":material/warning:")
    patience.over()
    if found:
        first = found[0]
        text = f"{scores[score].title}: {scores[score].temperature(first.logit_scale)}"
        if len({c.images for c in found}) == 1:
            n_known, n_unknown = (first.truth >= 0).sum(), (first.truth == core.OOD).sum()
            text += f" · {len(first.truth):,} images"
            if first.labelled:
                text += f", {n_known:,} of the {len(first.classes)} classes, {n_unknown:,} of none"
        about.caption(text)
    return tuple(found), part, score


def _stamp(folder: core.RunFolder) -> int:
    """Changes when the run writes another result."""
    result = folder.path / "result.json"
    return result.stat().st_mtime_ns if result.is_file() else 0


@lru_cache(maxsize=64)  # 10,000 images are half a megabyte
def _contender(path: str, stamp: int, part: str, score: str) -> core.Contender:
    return core.open_contender(core.RunFolder(path), part, score)
