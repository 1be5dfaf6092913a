"""t-SNE in a child process: progress, cancellation, and a single computation."""

import numpy as np
import pytest

from tests.helpers.run_folders import cosines_of, features_of, labels_of, write_run
from ueo_core.analysis import tsne
from ueo_core.analysis.pca_map import near_anchors
from ueo_core.analysis.run_result import read_inspection
from ueo_core.utils.background_jobs import Cancelled
from ueo_core.utils.errors import UserError


def test_it_reports_progress_is_kept_and_equals_a_direct_fit(monkeypatch):
    folder, told = write_run("r", n=24), []
    opened = read_inspection(folder)
    assert tsne.tsne_map(folder, opened, "pool") is None
    tsne.compute_tsne(folder, "pool", 4, lambda done, total: told.append((done, total)))
    assert told == sorted(told) and {total for _, total in told} == {2 * tsne.ITERATIONS}
    found = tsne.tsne_map(folder, opened, "pool")
    before = tsne.fit(features_of(cosines_of(labels_of(24), 0.03, 0)), None)
    np.testing.assert_allclose(found.points["before"], before, atol=1e-3)
    np.testing.assert_allclose(
        found.anchors["after"],
        near_anchors(found.points["after"], opened.parts["pool"].cosines["after"][:]),
    )

    def never(*args):
        raise AssertionError("it was computed a second time")

    monkeypatch.setattr(tsne, "_in_child", never)
    tsne.compute_tsne(folder, "pool", 4)


def test_canceling_ends_the_child_process_and_writes_nothing(monkeypatch):
    folder, children = write_run("r", n=40), []
    start = tsne.subprocess.Popen
    monkeypatch.setattr(
        tsne.subprocess, "Popen", lambda *a, **k: children.append(start(*a, **k)) or children[-1]
    )

    def cancel():
        raise Cancelled

    with pytest.raises(Cancelled):
        tsne.compute_tsne(folder, "pool", 4, check=cancel)
    assert len(children) == 1 and children[0].poll() is not None
    assert not list(folder.path.glob("scored/*"))


def test_a_failing_child_process_is_a_clear_error(monkeypatch):
    folder = write_run("r", n=24)
    monkeypatch.setattr(tsne, "read_features", lambda *a: np.full((24, 3), np.nan, np.float32))
    with pytest.raises(UserError, match="t-SNE: it failed with .*NaN.*; use the PCA map"):
        tsne.compute_tsne(folder, "pool", 4)


def test_too_few_images_are_refused():
    with pytest.raises(UserError, match="needs more than 4 images, and this set has 4; use PCA"):
        tsne.compute_tsne(write_run("r", n=4), "pool", 4)
