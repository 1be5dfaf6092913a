"""The images of a dataset as thumbnails."""

import streamlit as st

from ueo_core.data.labels import folder_labels
from ueo_core.utils.errors import UserError
from ueo_core.workspace.dataset import Dataset
from ui.common import shell
from ui.common.image_grid import Thumbnail, image_grid, page_indices


def draw(dataset: Dataset) -> None:
    """A grid of thumbnails with a filter, which reruns on its own."""
    st.fragment(_wall, key="data.wall")(dataset)


def _wall(dataset: Dataset) -> None:
    part = "pool"
    if dataset.holdout:
        part = st.segmented_control(
            "Which images",
            ["pool", "holdout"],
            default="pool",
            required=True,
            key="data.part",
            format_func={"pool": "Pool (unlabeled)", "holdout": "Test set"}.get,
        )
    try:
        images = dataset.images(part)
        search, folder = st.columns([3, 2])
        text = search.text_input("Name contains", key="data.search").casefold().strip()
        labels = folder_labels(images)
        folders = sorted({name for name in labels if name})
        only = folder.selectbox(
            "Subfolder",
            folders,
            index=None,
            placeholder="All",
            key="data.folder",
            disabled=not folders,
        )
        shown = [
            i
            for i, name in enumerate(images.names)
            if text in name.casefold() and (only is None or labels[i] == only)
        ]
        st.caption(f"{len(shown):,} of {len(images):,} images")
        visible = page_indices(len(shown), f"data.page.{part}")
        image_grid(
            [Thumbnail(images.thumbnail(i), images.names[i]) for i in (shown[k] for k in visible)]
        )
    except UserError as error:
        shell.problem(error)
