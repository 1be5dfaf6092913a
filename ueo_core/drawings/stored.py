"""A built-in problem drawn into the image store, with the labels that only scoring reads."""

from collections.abc import Callable, Iterable

from ueo_core.data.image_set import ImageSet
from ueo_core.data.labels import folder_labels
from ueo_core.data.store import Store
from ueo_core.drawings.parallel import drawn_files
from ueo_core.drawings.sample import Problem


def ingest_problem(
    chosen: Problem,
    store: Store,
    title: str,
    progress: Callable[[int, int], None] | None = None,
    on_image: Callable[[bytes], object] | None = None,
    files: Iterable[tuple[str, str, bytes]] | None = None,
) -> tuple[dict[str, ImageSet], dict[str, list[str | None]]]:
    """Draw pool and test set into a store. → image sets and nouns of their images, by part

    title: of the sets, for a person; progress(drawn, in all); on_image gets the PNG of each;
    files: the problem's own, where they have been drawn already.
    """
    drawn: dict[str, list[tuple[str, bytes]]] = {"pool": [], "test": []}
    for done, (part, name, png) in enumerate(files or drawn_files(chosen), start=1):
        drawn[part].append((name, png))
        if on_image:
            on_image(png)
        if progress:
            progress(done, len(chosen))
    sets = {}
    for part, own in drawn.items():
        report = store.ingest_files(own, name=f"{title} ({part})")
        assert report.set_id is not None, "every drawing is usable"
        sets[part] = store.open(report.set_id)
    nouns: dict[str, str | None] = {f"{i:04d}.png": noun for i, noun in enumerate(chosen.pool)}
    labels: dict[str, list[str | None]] = {
        "pool": [nouns[name] for name in sets["pool"].names],
        "test": folder_labels(sets["test"]),
    }
    return sets, labels
