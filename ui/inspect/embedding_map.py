"""Inspect: the map of the images. Select points to see their images, or an image to see its point."""

from functools import lru_cache

import streamlit as st

from ueo_core.analysis.map_groups import COLORED, colorings, frequent_classes, map_groups
from ueo_core.analysis.pca_map import Map, images_on_map, pca_of_run
from ueo_core.analysis.run_result import Inspection, SetResult
from ueo_core.analysis.tsne import compute_tsne, tsne_map
from ueo_core.evaluation.ood_scores import SCORES
from ueo_core.runs.folder import RunFolder
from ui.common import shell
from ui.common.job_progress import show_job, start_job
from ui.common.text import escaped
from ui.inspect import image_card, map_chart, state
from ui.inspect.gallery import download, image_grid
from ui.inspect.threshold import sides

KINDS = {"pca": "PCA", "tsne": "t-SNE"}


@lru_cache(maxsize=8)
def _pca(path: str, opened: Inspection, part: str) -> Map:
    return pca_of_run(RunFolder(path), opened, part)


@lru_cache(maxsize=8)
def _texts(opened: Inspection, part: str, where: Map) -> dict[str, list[str]]:
    """Hover text of every image on the map, by side."""
    part, names = opened.parts[part], [escaped(c) for c in opened.classes]
    confidence, images = part.confidence, where.images
    return {
        side: [
            f"{names[c]} {100 * p:.0f} %"
            for c, p in zip(prediction[images], confidence[side][images], strict=True)
        ]
        for side, prediction in part.prediction.items()
    }


def show(opened: Inspection, part: SetResult, score: str) -> None:
    """The controls, the map, and the images that are selected on it."""
    folder = shell.manager().folder(opened.run)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = st.segmented_control(
            "Projection",
            list(KINDS),
            format_func=KINDS.get,
            default="pca",
            required=True,
            key="inspect.map.kind",
        )
        ways = colorings(part)
        coloring = st.segmented_control(
            "Color by",
            list(ways),
            format_func=ways.get,
            default="answer",
            required=True,
            key=f"inspect.map.color.{part.labeled}",
        )
        classes = _classes(opened, part) if coloring in ("answer", "truth") else []
    where = _pca(str(folder.path), opened, part.name) if kind == "pca" else None
    if kind == "tsne":
        where = tsne_map(folder, opened, part.name)
        if where is None:
            _tsne(folder, opened, part)
            return
    _draw(opened, part, score, where, coloring, classes)
    _about(kind, where, len(part))
    _selection(opened, part, score, where)


def _classes(opened, part) -> list[int]:
    """The classes with a color of their own: all if they can be distinguished, else a selection."""
    if len(opened.classes) <= COLORED:
        return list(range(len(opened.classes)))
    return st.multiselect(
        "Colored classes",
        range(len(opened.classes)),
        default=frequent_classes(part),
        format_func=opened.classes.__getitem__,
        max_selections=COLORED,
        width=560,
        key=f"inspect.map.classes.{opened.run}.{part.name}",
    )


def _draw(opened, part, score, where, coloring: str, classes: list[int]) -> None:
    texts, titles = _texts(opened, part.name, where), sides(opened)
    marked = {
        "brushed": state.brushed(opened, part),
        "chosen": state.selected_image(opened, part),
        "ink": "#E8EDF2" if shell.dark() else "#1B2733",
    }
    if coloring == "score":
        title = f"{SCORES[score].title} ({SCORES[score].temperature(opened.logit_scale)})"
        fig = map_chart.scored(
            where,
            part.scores(score),
            state.thresholds(opened, part, score),
            texts,
            opened.classes,
            titles,
            marked,
            title,
        )
    else:
        groups = map_groups(part, coloring, opened.classes, classes, where.images)
        fig = map_chart.figure(where, groups, texts, opened.classes, titles, marked)
    key = "inspect.map.chart"

    def brushed() -> None:
        points = st.session_state[key]["selection"]["points"]
        images = [p["customdata"] for p in points if p.get("customdata") is not None]
        images = [int(i[0] if isinstance(i, list) else i) for i in images]
        state.brush(opened, part, images)
        if len(set(images)) == 1:
            state.select_image(opened, part, images[0])

    st.plotly_chart(
        fig,
        key=key,
        on_select=brushed,
        selection_mode=("points", "box", "lasso"),
        config={
            "displaylogo": False,
            "scrollZoom": True,
            # The wheel zooms, and on a narrow screen more buttons would cover the right map's title.
            "modeBarButtonsToRemove": ["zoom2d", "zoomIn2d", "zoomOut2d", "autoScale2d"],
        },
        alt="Map of the images before and after adaptation, with the class texts.",
    )


def _about(kind: str, where: Map, count: int) -> None:
    if kind == "pca":
        held = where.explained
        how = (
            f"The first two principal components of each model's image features ({held['before']:.0f} % and "
            f"{held['after']:.0f} % of the variance); the right map is rotated to match the left one. Stars: "
            "class texts, shifted so that their mean is the mean of the images; this changes no prediction."
        )
    else:
        how = (
            "t-SNE keeps neighbors together; sizes and distances of groups have no meaning. The right map "
            "is initialized with the left one. Stars: the mean of the five images nearest to a class text."
        )
    if (shown := len(where.images)) < count:
        how = (
            f"{shown:,} of {count:,} images are on the map, chosen at random: a browser cannot draw all. "
            f"{how}"
        )
    st.caption(
        f"{how} Stars that would overlap are moved apart; a line leads to their true place. Drag to select images, click a point to see its image, double-click to clear."
    )


def _tsne(folder, opened, part) -> None:
    """Compute t-SNE on request, with progress, once for every model and set."""
    key = f"inspect-tsne-{opened.run}-{part.name}-{opened.step}"
    if show_job(key, "iterations"):
        return
    if tsne_map(folder, opened, part.name) is not None:
        st.rerun()  # it has just ended
    with st.container(border=True):
        st.markdown(
            f"**t-SNE of {len(images_on_map(len(part))):,} images has not been computed yet.** It keeps neighbors together "
            "better than PCA. It takes from seconds to a few minutes; the result is kept."
        )
        st.button(
            "Compute t-SNE",
            type="primary",
            icon=":material/scatter_plot:",
            on_click=lambda: start_job(
                key,
                "t-SNE, before and after",
                lambda job: compute_tsne(folder, part.name, opened.step, job.progress, job.check),
            ),
        )


def _selection(opened, part, score: str, where: Map) -> None:
    """The selected image, and the images of the selected points."""
    images, chosen = state.brushed(opened, part), state.selected_image(opened, part)
    if chosen is not None:
        with st.container(border=True, key="inspect-chosen"):
            image_card.show(opened, part, chosen, score)
            if not where.has(chosen):
                st.caption("This image is not among those on the map.")
    if not images:
        st.info(
            "Select points with the lasso to see their images here; click an image to see its point.",
            icon=":material/lasso_select:",
        )
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{len(images):,} image{'s' * (len(images) > 1)} selected**", width="content")
        download(opened, part, images, score, "inspect.map.csv")
        st.button(
            "Clear",
            icon=":material/close:",
            on_click=_clear,
            args=(opened, part),
            key="inspect.map.clear",
        )
    image_grid(
        opened,
        part,
        images,
        "inspect.map",
        score,
        on_select=lambda image: state.select_image(opened, part, image),
    )


def _clear(opened, part) -> None:
    state.brush(opened, part, [])
    state.select_image(opened, part, None)
