"""A run's result is read from its files, a block at a time, and says what its cosines say."""

import numpy as np
import pytest

from tests.helpers.run_folders import CLASSES, SCALE, cosines_of, labels_of, write_run
from ueo_core.analysis import image_selections, pca_map
from ueo_core.analysis.hand_labels import candidates, load_hand_labels
from ueo_core.analysis.photo_wall import frame_of
from ueo_core.analysis.run_result import SetResult, read_inspection
from ueo_core.analysis.trust_check import trust_check
from ueo_core.analysis.verdict import judge
from ueo_core.evaluation.metrics import evaluate
from ueo_core.evaluation.ood_scores import SCORES
from ueo_core.evaluation.thresholds import mixture_threshold
from ueo_core.utils import rows
from ueo_core.utils.tensor_files import StoredRows

COSINES = {
    side: cosines_of(labels_of(80), skill, seed)
    for seed, (side, skill) in enumerate((("before", 0.03), ("after", 0.12)))
}
BLOCK = 30  # ten of the eighty images with their three classes


@pytest.fixture
def read(monkeypatch) -> list[int]:
    """The number of rows of each reading of a file."""
    found, row = [], StoredRows.__getitem__

    def counted(self, wanted):
        got = row(self, wanted)
        found.append(len(got) if got.ndim == 2 else 1)
        return got

    monkeypatch.setattr(StoredRows, "__getitem__", counted)
    monkeypatch.setattr(rows, "BLOCK", BLOCK)
    return found


@pytest.mark.parametrize("labeled", [True, False])
def test_no_more_than_a_block_of_cosines_is_read_at_once_whatever_is_shown(
    read, monkeypatch, labeled
):
    folder = write_run("r", labeled=labeled)
    monkeypatch.setattr(pca_map, "MOST", 10)
    opened = read_inspection(folder)
    part = opened.parts["pool"]
    for score in SCORES:
        limits = part.thresholds(score)
        for view in image_selections.gallery_views(part).values():
            view.pick(part, part.scores(score), limits)
        judge(part, score, CLASSES)
        if labeled:
            part.metrics(score, CLASSES)
    image_selections.best_predictions(part, "after", 7, 3)
    candidates(part, 7)
    load_hand_labels(folder, part)
    trust_check(folder, opened, part).sentence()
    frame_of("Adapted", part.cosines["after"], SCALE)
    pca_map.pca_of_run(folder, opened, "pool")
    assert max(read) == 10 and sum(read) > 160


def test_of_the_same_file_nothing_is_computed_twice(read):
    folder, counts = write_run("r"), []
    for _ in range(2):
        part = read_inspection(folder).parts["pool"]
        assert len(part.scores("mcm")["after"]) == 80 and len(part.prediction["before"]) == 80
        trust_check(folder, read_inspection(folder), part)
        frame_of("Adapted", part.cosines["after"], SCALE)
        counts.append(len(read))
    assert counts[0] == counts[1] > 0


def test_it_says_what_the_cosines_in_memory_say(read):
    stored = read_inspection(write_run("r")).parts["pool"]
    whole = SetResult("pool", {}, stored.truth, COSINES, SCALE)
    for side, cosines in COSINES.items():
        assert np.array_equal(stored.prediction[side], cosines.argmax(1))
        assert np.array_equal(stored.confidence[side], SCORES["msp"].compute(cosines, SCALE))
        for name, score in SCORES.items():
            expected = score.compute(cosines, SCALE)
            assert np.array_equal(stored.scores(name)[side], expected)
            assert stored.thresholds(name)[side] == mixture_threshold(expected)
            expected = evaluate(cosines, stored.truth, CLASSES, SCALE, name)
            assert stored.metrics(name, CLASSES)[side] == expected
            assert whole.metrics(name, CLASSES)[side] == expected
