"""The tiles of Inspect without labels, with each kind of safety check."""

from types import SimpleNamespace

import numpy as np
import pytest

from ueo_core.analysis.summary_tiles import unlabeled

SIDES = ("before", "after")


class Part:
    prediction = {"before": np.array([0, 1]), "after": np.array([0, 0])}
    confidence = {side: np.array([0.5, 0.7]) for side in SIDES}

    def __len__(self):
        return 2

    def scores(self, score):
        return {side: np.array([0.1, 0.9]) for side in SIDES}


BY_SHARE = {"0": {"consistency": 0.5}, "1": {"consistency": 0.7}}
# A run of one step has a candidate whose key is that of a whole blend.
BY_MODEL = {"zero-shot": {"evidence": 3.0}, "1": {"evidence": 3.2}}


@pytest.mark.parametrize(
    ("guard", "titles"),
    [
        (None, 3),
        ({"share": 1.0, "evidence": BY_SHARE}, 4),
        ({"share": 1.0, "evidence": BY_MODEL, "model": "1"}, 3),
    ],
)
def test_agreement_on_crops_is_told_where_it_was_measured(guard, titles):
    opened = SimpleNamespace(guard=guard, step=1, final=1)
    tiles = unlabeled(opened, Part(), "mcm", dict.fromkeys(SIDES, 0.5))
    assert len(tiles) == titles
    if titles == 4:
        assert (tiles[3].title, tiles[3].value, tiles[3].before) == (
            "Agreement on crops",
            "70 %",
            "50 %",
        )
