"""t-SNE of a set's features, in a process of its own, kept in the run's folder.

scikit-learn's t-SNE tells nobody how far it is and cannot be left, so it runs in a child
process: its own messages are read for the progress, and leaving is ending the child.
"""

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
from safetensors.numpy import load_file, save_file

from ueo_core.analysis.pca_map import Map, near_anchors
from ueo_core.analysis.run_result import SCORED, Inspection, read_features
from ueo_core.runs.folder import RunFolder
from ueo_core.utils.errors import UserError

ITERATIONS = 1000
FEWEST = 4  # images it makes no sense to arrange
DIMENSIONS = 50  # PCA to so many first, as its authors advise
_AT = re.compile(r"\[t-SNE\] Iteration (\d+):")


def tsne_map(folder: RunFolder, opened: Inspection, part: str) -> Map | None:
    """The kept t-SNE of a set before and after, or None while it has not been computed."""
    steps = {"before": 0, "after": opened.step}
    points = {side: _kept(folder, part, step) for side, step in steps.items()}
    if any(p is None for p in points.values()):
        return None
    cosines = opened.parts[part].cosines
    return Map(points, {side: near_anchors(p, cosines[side]) for side, p in points.items()})


def compute_tsne(
    folder: RunFolder,
    part: str,
    step: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
    check: Callable[[], None] = lambda: None,
) -> None:
    """t-SNE of a set before and after `step` steps; the second starts from the first's places.

    progress(iterations done, in all) is told as it goes on; `check` may raise to leave.
    """
    n = len(read_features(folder, part, 0))
    if n <= FEWEST:
        raise UserError(f"t-SNE: it needs more than {FEWEST} images and this set has {n}; use PCA.")
    wanted = [s for s in dict.fromkeys((0, step)) if _kept(folder, part, s) is None]
    total = ITERATIONS * len(wanted)
    for i, s in enumerate(wanted):
        start = _kept(folder, part, 0)
        points = _in_child(
            read_features(folder, part, s),
            start,
            lambda n, i=i: progress(ITERATIONS * i + n, total),
            check,
        )
        path = _path(folder, part, s)
        path.parent.mkdir(exist_ok=True)
        beside = path.with_name(path.name + ".part")
        save_file({"points": points}, beside)
        os.replace(beside, path)


def _path(folder: RunFolder, part: str, step: int) -> Path:
    return folder.path / SCORED / f"tsne-{part}-{step:06d}.safetensors"


def _kept(folder: RunFolder, part: str, step: int) -> NDArray[np.float32] | None:
    path = _path(folder, part, step)
    return load_file(path)["points"] if path.is_file() else None


def _in_child(
    features: NDArray, start: NDArray | None, tell: Callable[[int], None], check: Callable[[], None]
) -> NDArray[np.float32]:
    with tempfile.TemporaryDirectory(prefix="ueo-tsne-") as place:
        place = Path(place)
        np.save(place / "features.npy", features)
        if start is not None:
            np.save(place / "start.npy", start)
        # One core stays free, or the server that shows the progress starves.
        env = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 2) - 1)), **os.environ}
        root = Path(__file__).resolve().parents[2]
        with open(place / "said", "wb") as said:
            child = subprocess.Popen(
                [sys.executable, "-u", "-m", "ueo_core.analysis.tsne", str(place)],
                cwd=root,
                stdout=said,
                stderr=subprocess.STDOUT,
                env=env,
            )
        try:
            while child.poll() is None:
                check()
                at = _AT.findall((place / "said").read_text(errors="replace"))
                tell(min(ITERATIONS, int(at[-1])) if at else 0)
                time.sleep(0.2)
        finally:
            if child.poll() is None:
                child.terminate()
                child.wait()
        if child.returncode:
            last = (place / "said").read_text(errors="replace").strip().splitlines()[-1:]
            raise UserError(
                f"t-SNE: it ended with {' '.join(last) or f'code {child.returncode}'}; "
                "use the PCA map, or try again with more memory free."
            )
        return np.load(place / "points.npy")


def fit(features: NDArray, start: NDArray | None, verbose: int = 0) -> NDArray[np.float32]:
    """t-SNE of unit features. (N, D) → (N, 2). start: places to begin from, (N, 2)."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    n = len(features)
    if min(features.shape) > DIMENSIONS:
        features = PCA(DIMENSIONS, random_state=0).fit_transform(features)
    spread = start.std(axis=0)[0] if start is not None else 0.0
    method = TSNE(
        perplexity=min(30.0, max(1.0, (n - 1) / 3)),
        # The scale that scikit-learn gives its own start: small, so that groups can still form.
        init=start / spread * 1e-4 if spread > 0 else "pca",
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
