"""The check of the class names on the dataset's own photos, before a run."""

import streamlit as st

from ueo_core.data.word_list import OWN, word_list
from ueo_core.models.catalog import available
from ueo_core.utils.background_jobs import Job
from ueo_core.utils.paths import studio_home
from ueo_core.workspace.dataset import Dataset
from ui.common import shell, thumbs
from ui.common.job_progress import show_job, start_job
from ui.common.text import escaped, markdown

PHOTOS = 6  # of a group; they fit one row of a narrow window


def check_the_names(dataset: Dataset) -> None:
    """A button that checks the saved names with a zero-shot model, and what was found."""
    if not dataset.ready:
        return
    key = f"data.name-check.{dataset.id}"
    with st.container(border=True):
        st.markdown(
            "**Check the names.** The zero-shot model says which names attract no photo, which "
            "compete, which words it does not know, and which photos no name fits."
        )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            backbone = st.selectbox(
                "Model",
                [(row["name"], row["pretrained"]) for row in available() if row["available"]],
                format_func=lambda pair: pair[0],
                key=f"{key}.model",
                width=320,
            )
            st.button(
                "Check the names",
                icon=":material/spellcheck:",
                disabled=_running(key),
                on_click=start_job,
                args=(key, "Checking the names", lambda job: _check(job, dataset, backbone)),
            )
        running = show_job(key, on_result=lambda found: st.session_state.update({key: found}))
        found = st.session_state.get(key)
        if found and not running and found.classes != dataset.classes:
            st.caption("The class names have changed since the last check.")
        elif found and not running:
            _show(dataset, found)


def _running(key: str) -> bool:
    job = shell.jobs().get(key)
    return bool(job and job.running)


def _check(job: Job, dataset: Dataset, backbone: tuple[str, str]):
    from ueo_core.analysis.name_check import check_names_on
    from ueo_core.config.settings import Settings
    from ueo_core.models import backbones
    from ueo_core.models.adapted_clip import AdaptedCLIP

    settings = Settings.for_backbone(backbone[0])
    words = word_list()
    loaded = backbones.load(settings.backbone, _tag(backbone), settings.device)

    def progress(what: str, done: int, total: int) -> None:
        if what not in job.title:
            job.begin(f"Checking the names: {what}", total)
        job.advance(done, total)

    images = dataset.images("pool", loaded.store_side)
    model = AdaptedCLIP(loaded, list(dataset.classes), settings.prompt, synonyms=dataset.synonyms)
    return check_names_on(images, model, words, progress)


def _tag(backbone: tuple[str, str]) -> str | None:
    """The weights; those that are shipped have no tag."""
    return None if backbone[1] == "assets" else backbone[1]


def _show(dataset: Dataset, found) -> None:
    """The sentences, the groups with their photos, and every name with its nearest ones."""
    st.html(thumbs.STYLE)
    st.markdown("\n".join(f"- {markdown(sentence)}" for sentence in found.sentences))
    for group in found.groups:
        words = ", ".join(found.words[w] for w in group.words) or "no better word"
        _row(
            dataset,
            f"No name fits: {words}",
            f"{len(group.images):,} photos",
            group.images[:PHOTOS],
        )
    with st.expander("The nearest photos of every name"):
        for name, n, nearest in zip(found.classes, found.counts, found.nearest, strict=True):
            _row(dataset, name, f"{n:,} photos", nearest)
    st.caption(
        f"From {found.images:,} photos and {len(found.words):,} words. More words: one a line in the "
        f"file {markdown(str(studio_home() / OWN))}."
    )


def _row(dataset: Dataset, title: str, about: str, images) -> None:
    cards = thumbs.strip([thumbs.card(dataset.pool, i, []) for i in images])
    st.html(f'<div class="ueo-small"><p><b>{escaped(title)}</b> · {about}</p>{cards}</div>')
