"""t-SNE of a set's features, computed in a child process and kept in the run's folder.

scikit-learn's t-SNE has no progress callback and cannot be canceled, so it runs in a child process:
its messages give the progress, and ending the process cancels it.
"""

import logging
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ueo_core.analysis.pca_map import Map, images_on_map, near_anchors
from ueo_core.analysis.run_result import SCORED, Inspection, read_features
from ueo_core.runs.folder import RunFolder
from ueo_core.utils.errors import UserError
from ueo_core.utils.tensor_files import read_tensors, write_tensors

log = logging.getLogger(__name__)
ITERATIONS = 1000
FEWEST = 4  # so many images or fewer cannot be embedded
DIMENSIONS = 50  # reduced to so many by PCA first, as the authors of t-SNE advise
_AT = re.compile(r"\[t-SNE\] Iteration (\d+):")


def tsne_map(folder: RunFolder, opened: Inspection, part: str) -> Map | None:
    """The t-SNE of a set before and after, or None if it has not been computed."""
    steps = {"before": 0, "after": opened.step}
    kept = {side: _kept(folder, part, step) for side, step in steps.items()}
    points = {side: p.astype(np.float64) for side, p in kept.items() if p is not None}
    if len(points) < len(kept):
        return None
    cosines = opened.parts[part].cosines
    images = images_on_map(len(opened.parts[part]))
    if any(len(p) != len(images) for p in points.values()):  # of a version without a sample
        return None
    anchors = {side: near_anchors(p, cosines[side][images]) for side, p in points.items()}
    return Map(images, points, anchors)


def compute_tsne(
    folder: RunFolder,
    part: str,
    step: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Compute t-SNE of a set before and after `step` steps; the second is initialized with the first.

    progress(iterations done, in total) is called repeatedly; `check` may raise to cancel. UserError
    for too few images, or if the child process fails.
    """
    images = images_on_map(n := len(read_features(folder, part, 0)))
    if n <= FEWEST:
        raise UserError(
            f"t-SNE: it needs more than {FEWEST} images, and this set has {n}; use PCA."
        )
    kept = {s: _kept(folder, part, s) for s in (0, step)}
    wanted = [s for s, points in kept.items() if points is None or len(points) != len(images)]
    total = ITERATIONS * len(wanted)
    for i, s in enumerate(wanted):

        def tell(done: int, before: int = ITERATIONS * i) -> None:
            progress(before + done, total)

        features = read_features(folder, part, s)[images]
        points = _in_child(features, _kept(folder, part, 0), tell, check)
        write_tensors(_path(folder, part, s), {"points": points})


def _path(folder: RunFolder, part: str, step: int) -> Path:
    return folder.path / SCORED / f"tsne-{part}-{step:06d}.safetensors"


def _kept(folder: RunFolder, part: str, step: int) -> NDArray[np.float32] | None:
    path = _path(folder, part, step)
    try:
        return read_tensors(path)[0]["points"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError) as error:  # it is computed again
        log.warning("%s cannot be read: %s", path, error)
        return None


def _in_child(
    features: NDArray, start: NDArray | None, tell: Callable[[int], None], check: Callable[[], None]
) -> NDArray[np.float32]:
    with tempfile.TemporaryDirectory(prefix="ueo-tsne-") as temporary:
        place = Path(temporary)
        np.save(place / "features.npy", features)
        if start is not None:
            np.save(place / "start.npy", start)
        # One core stays free for the server that shows the progress.
        env = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 2) - 1)), **os.environ}
        root = Path(__file__).resolve().parents[2]
        with open(place / "output", "wb") as output:
            child = subprocess.Popen(
                [sys.executable, "-u", "-m", "ueo_core.analysis.tsne", str(place)],
                cwd=root,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
            )
        try:
            while child.poll() is None:
                check()
                at = _AT.findall(_text(place / "output"))
                tell(min(ITERATIONS, int(at[-1])) if at else 0)
                time.sleep(0.2)
        finally:
            if child.poll() is None:
                child.terminate()
                child.wait()
        if child.returncode:
            last = _text(place / "output").strip().splitlines()[-1:]
            raise UserError(
                f"t-SNE: it failed with {' '.join(last) or f'code {child.returncode}'}; "
                "use the PCA map, or free some memory and try again."
            )
        return np.load(place / "points.npy")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def fit(features: NDArray, start: NDArray | None, verbose: int = 0) -> NDArray[np.float32]:
    """t-SNE of unit features. (N, D) → (N, 2). start: initial positions, (N, 2)."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    n = len(features)
    if min(features.shape) > DIMENSIONS:
        features = PCA(DIMENSIONS, random_state=0).fit_transform(features)
    init: NDArray | str = "pca"
    if start is not None and (deviation := start.std(axis=0)[0]) > 0:
        # The scale of scikit-learn's own initialization: small, so that groups can still form.
        init = start / deviation * 1e-4
    method = TSNE(
        perplexity=min(30.0, max(1.0, (n - 1) / 3)),
        init=init,
        max_iter=ITERATIONS,
        random_state=0,
        verbose=verbose,
    )
    return method.fit_transform(features).astype(np.float32)


def _child(place: Path) -> None:
    start = place / "start.npy"
    points = fit(
        np.load(place / "features.npy"), np.load(start) if start.exists() else None, verbose=2
    )
    np.save(place / "points.npy", points)


if __name__ == "__main__":
    _child(Path(sys.argv[1]))
