"""Colors of the map: each image exactly once, in the group of its prediction or true class."""

import numpy as np

from ueo_core.analysis.map_groups import colorings, frequent_classes, map_groups
from ueo_core.analysis.run_result import SetResult
from ueo_core.evaluation.metrics import OOD, UNLABELED

NAMES = ["a", "b", "c"]
ALL = np.arange(6)


def part(truth) -> SetResult:
    before = [0, 1, 2, 0, 0, 1]
    after = [0, 1, 0, 1, 0, 0]
    eye = np.eye(3, dtype=np.float32)
    return SetResult("pool", {}, np.array(truth), {"before": eye[before], "after": eye[after]}, 1.0)


def members(groups) -> dict:
    return {g.name: g.members.tolist() for g in groups}


def test_groups_of_an_example():
    one = part([0, 0, 2, 1, OOD, UNLABELED])
    assert members(map_groups(one, "answer", NAMES, [0], ALL)["before"]) == {
        "a": [0, 3, 4],
        "other classes (2)": [1, 2, 5],
    }
    truth = map_groups(one, "truth", NAMES, [0, 1, 2], ALL)
    assert (
        members(truth["after"])
        == members(truth["before"])
        == {
            "a": [0, 1],
            "b": [3],
            "c": [2],
            "none of the classes (unknown)": [4],
            "unlabeled": [5],
        }
    )
    assert members(map_groups(one, "change", NAMES, [], ALL)["after"]) == {
        "right before and after": [0],
        "wrong before and after": [1],
        "became wrong": [2],
        "became right": [3],
        "same prediction": [4],
        "changed prediction": [5],
    }


def test_every_image_is_in_one_group():
    g = np.random.default_rng(0)
    one = part(g.integers(-2, 3, 6))
    for how in ("answer", "truth", "change"):
        for groups in map_groups(one, how, NAMES, [1], ALL).values():
            assert sorted(i for group in groups for i in group.members) == list(range(6))


def test_only_images_on_the_map_are_in_a_group():
    one, drawn = part([0, 0, 2, 1, OOD, UNLABELED]), np.array([1, 3, 4])
    assert members(map_groups(one, "answer", NAMES, [0], drawn)["before"]) == {
        "a": [3, 4],
        "other classes (2)": [1],
    }
    assert members(map_groups(one, "change", NAMES, [], drawn)["after"]) == {
        "wrong before and after": [1],
        "became right": [3],
        "same prediction": [4],
    }


def test_the_most_frequent_predictions_have_colors_and_truth_needs_labels():
    assert frequent_classes(part([0] * 6)) == [0, 1]  # c is never predicted after adaptation
    assert "truth" in colorings(part([0] * 6))
    assert "truth" not in colorings(part([UNLABELED] * 6))
